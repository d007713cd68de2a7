"""Random lives of a community's whole money: the books are the notebook's to the satang at every step.

`docs`: what can happen is declared by `@deed` in the modules beside this one; `paper.py` is the notebook;
`invariants.py` says where I1 to I21 are looked at. Each kind of event is counted over the whole run, and
the test fails where one never happened; the short run looks for those by lives of a seed. What fails
tells all that was drawn before it.
"""

from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from cbt.db import db
from tests.conftest import DEEP
from tests.revenue.model.guests import Guests
from tests.revenue.model.invariants import WHERE
from tests.revenue.model.life import DEEDS, LEADS_TO, Drawn, Life, Seeded, found
from tests.revenue.model.money_back import MoneyBack
from tests.revenue.model.month import Month
from tests.revenue.model.paying import Paying
from tests.revenue.model.service import Service

EXAMPLES = {"sqlite": 300, "postgresql": 120} if DEEP else {"sqlite": 2, "postgresql": 2}
LENGTH, MOST_SOUGHT = 40, 12
WITHIN = sorted({kind for kinds in LEADS_TO.values() for kind in kinds})


class Village(Guests, Service, MoneyBack, Paying, Month, Life):
    """Everybody of one village."""


@pytest.fixture
def kept(app, request):
    """What brings the database back to a founded village, and that village."""
    return request.getfixturevalue(f"kept_{db.engine.dialect.name}")


def test_no_life_of_a_community_loses_a_satang_or_breaks_an_invariant(app, kept):
    done = Counter()
    founded = kept.remember(found)

    class MoneyLife(RuleBasedStateMachine):
        @initialize()
        def begin(self):
            self.life = Village(founded(), done, app, seeks=False)

        @rule(data=st.data())
        def go_on(self, data):
            self.life.step(Drawn(data))

    run_state_machine_as_test(
        MoneyLife,
        settings=settings(
            max_examples=EXAMPLES[db.engine.dialect.name],
            stateful_step_count=LENGTH,
            deadline=None,
            derandomize=not DEEP,
            database=None,
            phases=[Phase.generate, Phase.shrink] if DEEP else [Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
    if not DEEP:
        seek(lambda: Village(founded(), done, app, seeks=True))
    told = f"{sum(done.values())} events of {len(done)} kinds: {dict(sorted(done.items()))}"
    print(f"\n{db.engine.dialect.name}: {told}")
    assert missing(done) == []


def seek(begin):
    """Lives by a seed that look for the kinds of events that none had yet."""
    for seed in range(MOST_SOUGHT):
        life, chance = begin(), Seeded(seed)
        for _step in range(LENGTH):
            if not missing(life.done):
                return
            life.step(chance)


def missing(done):
    return [kind for kind in (*DEEDS, *WITHIN) if not done[kind]]


def test_every_invariant_is_looked_at_somewhere():
    assert list(WHERE) == [f"I{number}" for number in range(1, 22)]
