"""Policies to begin one's own discussion from. Pure; every share in them is a planning value."""

from dataclasses import replace

from cbt.revenue.policy import DEFAULT, Bucket, DividendRule, Limits, Policy, ProviderRule, Task

_BASE = replace(DEFAULT, version=2)


def _shares(
    provider: int,
    mgmt: int,
    welfare: int,
    conserve: int,
    develop: int,
    revolve: int,
    dividend: int = 0,
) -> dict[Bucket, int]:
    given = (provider, mgmt, welfare, conserve, develop, revolve, dividend)
    shares = dict(zip(Bucket, given, strict=True))
    return {bucket: bp for bucket, bp in shares.items() if bp or bucket != Bucket.DIVIDEND}


TEMPLATES: dict[str, Policy] = {
    "default": replace(_BASE, name="CBT-2"),
    "welfare": replace(
        _BASE,
        name="CBT-2-W",
        shares=_shares(7_400, 600, 800, 400, 300, 500),
        fixed={Bucket.WELFARE: 1_000},
        limits={Bucket.MGMT: Limits(cap_satang=50_000)},
    ),
    "homestay": replace(
        _BASE,
        name="CBT-2-H",
        shares=_shares(8_000, 600, 400, 200, 300, 500),
        rates={task: _BASE.rates[task] for task in (Task.COOK, Task.HOST, Task.PREPARE)},
        provider_rule=ProviderRule.RATES_FIRST,
        surplus=Bucket.DEVELOP,
    ),
    "dividend": replace(
        _BASE,
        name="CBT-2-D",
        shares=_shares(7_000, 700, 500, 300, 200, 500, 800),
        dividend_rule=DividendRule.BY_SHARES,
    ),
}
"""By the word that the wizard's first page offers."""
