"""What random policies, work and weights look like."""

from hypothesis import settings
from hypothesis import strategies as st

from cbt.revenue.policy import (
    ALWAYS,
    COMMON,
    Bucket,
    DividendRule,
    Limits,
    Policy,
    ProviderRule,
    Task,
)
from tests.conftest import DEEP

thorough = settings(max_examples=10_000 if DEEP else 100, deadline=None)
"""How often a property of a money rule is tried: often in the nightly run, some times in the plain one."""

FUNDS = [bucket for bucket in Bucket if bucket != Bucket.PROVIDER]


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Any policy of the first version that a community may adopt."""
    return Policy(
        name=draw(st.from_regex(r"[A-Za-z0-9-]{1,20}", fullmatch=True)),
        intermediary_bp=draw(st.integers(0, 3_000)),
        shares=_shares(draw, ALWAYS),
        rates=_rates(draw, 1_000_000),
    )


@st.composite
def policies_2(draw: st.DrawFn) -> Policy:
    """Any policy of the second version that a community may adopt."""
    dividend = draw(st.sampled_from([None, *DividendRule]))
    buckets = tuple(Bucket) if dividend else ALWAYS
    rule = draw(st.sampled_from(list(ProviderRule)))
    surplus = Bucket.PROVIDER
    if rule == ProviderRule.RATES_FIRST:
        surplus = draw(st.sampled_from(ALWAYS))
    most = draw(st.sampled_from([10**3, 10**6, 10**8]))
    fixed = draw(
        st.lists(st.sampled_from([b for b in buckets if b != Bucket.PROVIDER]), unique=True)
    )
    limited = draw(st.lists(st.sampled_from(buckets), unique=True))
    return Policy(
        name=draw(st.from_regex(r"[A-Za-z0-9ก-ฮ-]{1,20}", fullmatch=True)),
        intermediary_bp=draw(st.integers(0, 3_000)),
        shares=_shares(draw, buckets),
        rates=_rates(draw, 10**8),
        version=2,
        intermediary_cap_satang=draw(st.none() | st.integers(1, most)),
        fixed={bucket: draw(st.integers(1, most)) for bucket in Bucket if bucket in fixed},
        limits={bucket: _limits(draw, bucket, most) for bucket in Bucket if bucket in limited},
        provider_rule=rule,
        surplus=surplus,
        dividend_rule=dividend,
    )


def every_policy() -> st.SearchStrategy[Policy]:
    return st.one_of(policies(), policies_2())


def _shares(draw: st.DrawFn, buckets: tuple[Bucket, ...]) -> dict[Bucket, int]:
    """Basis points that make the whole: half to the households, and some for everybody."""
    provider = draw(st.integers(5_000, 9_999))
    common = draw(st.integers(1, 10_000 - provider))
    mgmt = draw(st.integers(0, min(2_500, 10_000 - provider - common)))
    spare = 10_000 - provider - common - mgmt
    if Bucket.DIVIDEND not in buckets:
        common, spare = common + spare, 0
    cuts = sorted(draw(st.lists(st.integers(0, common), min_size=3, max_size=3)))
    parts = [b - a for a, b in zip([0, *cuts], [*cuts, common], strict=True)]
    shares = {Bucket.PROVIDER: provider, Bucket.MGMT: mgmt, Bucket.DIVIDEND: spare}
    shares.update(zip(COMMON, parts, strict=True))
    return {bucket: shares[bucket] for bucket in buckets}


def _rates(draw: st.DrawFn, most: int) -> dict[Task, int]:
    tasks = draw(st.lists(st.sampled_from(list(Task)), min_size=1, unique=True))
    return {task: draw(st.integers(1, most)) for task in tasks}


def _limits(draw: st.DrawFn, bucket: Bucket, most: int) -> Limits:
    low, high = sorted(draw(st.tuples(st.integers(1, most), st.integers(1, most))))
    if bucket == Bucket.PROVIDER:
        return Limits(floor_satang=low)
    kinds = [Limits(low, high), Limits(floor_satang=low), Limits(cap_satang=high)]
    return draw(st.sampled_from(kinds))


HOUSEHOLDS = [f"H{number:02}" for number in range(1, 31)]


def weights(most: int = 10**7) -> st.SearchStrategy[dict[str, int]]:
    """Weights of some households, at least one of them above zero."""
    return st.dictionaries(
        st.sampled_from(HOUSEHOLDS), st.integers(0, most), min_size=1, max_size=30
    ).filter(lambda given: any(given.values()))
