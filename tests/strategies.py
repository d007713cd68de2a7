"""What random policies, work and weights look like."""

from hypothesis import strategies as st

from cbt.revenue.policy import Bucket, Policy, Task

FUNDS = [bucket for bucket in Bucket if bucket not in (Bucket.PROVIDER, Bucket.MGMT)]


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Any policy that a community may adopt."""
    provider = draw(st.integers(5_000, 9_999))
    mgmt = draw(st.integers(0, min(2_500, 9_999 - provider)))
    left = 10_000 - provider - mgmt
    cuts = sorted(draw(st.lists(st.integers(0, left), min_size=3, max_size=3)))
    parts = [b - a for a, b in zip([0, *cuts], [*cuts, left], strict=True)]
    shares = {Bucket.PROVIDER: provider, Bucket.MGMT: mgmt}
    shares.update(zip(FUNDS, parts, strict=True))
    tasks = draw(st.lists(st.sampled_from(list(Task)), min_size=1, unique=True))
    return Policy(
        name=draw(st.from_regex(r"[A-Za-z0-9-]{1,20}", fullmatch=True)),
        intermediary_bp=draw(st.integers(0, 3_000)),
        shares={bucket: shares[bucket] for bucket in Bucket},
        rates={task: draw(st.integers(1, 1_000_000)) for task in tasks},
    )


HOUSEHOLDS = [f"H{number:02}" for number in range(1, 31)]


def weights(most: int = 10**7) -> st.SearchStrategy[dict[str, int]]:
    """Weights of some households, at least one of them above zero."""
    return st.dictionaries(
        st.sampled_from(HOUSEHOLDS), st.integers(0, most), min_size=1, max_size=30
    ).filter(lambda given: any(given.values()))
