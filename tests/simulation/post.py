"""The way of a provider's messages to us: they get lost, come twice, late, and in any order."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from tests.stripe_double import StripeDouble
from tests.stripe_double.faults import Fault
from tests.stripe_double.state import Event

LOST, DOUBLED, DELAYED, REORDERED = "lost", "doubled", "delayed", "reordered"
MESSAGES = (LOST, DOUBLED, DELAYED, REORDERED)
ANSWERS = {
    Fault.DROP_BEFORE: "request lost",
    Fault.DROP_AFTER: "answer lost",
    Fault.ERROR_BEFORE: "failed before",
    Fault.ERROR_AFTER: "failed after",
    Fault.LIMIT: "asked too often",
    Fault.CONFLICT: "in use",
}
_FATES = ("", "", "", "", LOST, DOUBLED, DELAYED)


@dataclass
class Letter:
    """A message that has not arrived yet."""

    event: Event
    due_at: datetime
    copies: int


@dataclass
class Postman:
    """Takes what the provider sends and brings it as chance decides."""

    double: StripeDouble
    chance: Random
    mischief: Counter[str]
    _seen: int = 0
    _bag: list[Letter] = field(default_factory=list)

    def collect(self, now: datetime) -> None:
        """Take along what was sent since."""
        events = self.double.events()
        for event in events[self._seen :]:
            fate = self.chance.choice(_FATES)
            if fate:
                self.mischief[fate] += 1
            if fate == LOST:
                continue
            late = timedelta(hours=self.chance.randint(2, 200)) if fate == DELAYED else timedelta()
            self._bag.append(Letter(event, now + late, 2 if fate == DOUBLED else 1))
        self._seen = len(events)

    def next(self, now: datetime) -> Event | None:
        """One that is due, not always the first that was sent; None when there is none."""
        due = [each for each in self._bag if each.due_at <= now]
        if not due:
            return None
        letter = self.chance.choice(due[:4])
        if letter is not due[0]:
            self.mischief[REORDERED] += 1
        letter.copies -= 1
        if not letter.copies:
            self._bag.remove(letter)
        return letter.event

    def spoil_answers(self) -> None:
        """The next answers of the provider go wrong: so often that asking again at once does not help."""
        fault = self.chance.choice(list(ANSWERS))
        self.mischief[ANSWERS[fault]] += 1
        times = self.chance.choice((1, 3, 3, 6))
        self.double.fail_next("* /v1/*", fault, times)
