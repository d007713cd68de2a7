"""What machines do: messages that the provider sends to us, and the worker's duties."""

from datetime import datetime

from sqlalchemy.orm import Session

from cbt import worker
from cbt.payments import inbox
from cbt.payments.reported import InboxEvent
from tests.simulation.guests import counting
from tests.simulation.world import Step, World, kind

_OFTEN = {
    "work off events": 6,
    "end overdue holds": 3,
    "look up payments": 2,
    "give money back": 5,
    "look up refunds": 3,
    "let shares bear losses": 3,
    "reconcile": 3,
    "reconcile fully": 2,
}
DUTIES = (
    *("beat", "end overdue holds", "look up payments", "work off events", "offer free places"),
    *("refund the undecided", "return stranded credit", "keep departures ready"),
    *("give money back", "let shares bear losses", "look up refunds", "remind of balances"),
    *("remind of refunds", "change accounts", "reconcile", "reconcile fully"),
    *("read outside calendars", "forget guests", "forget events", "forget mails"),
    *("tell what visits paid for", "audit the books", "forget consents"),
)


@kind("a message comes", 16)
def receive(world: World, _session: Session) -> Step | None:
    event = world.postman.next(world.now)
    if event is None:
        return None
    at = int(world.now.timestamp())
    body, headers = world.double.signed(event, at)
    event_id = event.body["id"]

    def do(now: datetime) -> None:
        inbox.receive("stripe", body, headers, world.providers, now)

    if world.happens(0.6):
        world.soon.append("worker: work off events")
    return Step("a message comes", do, counting(InboxEvent.event_id == event_id, of=InboxEvent))


def duty(world: World, name: str) -> Step:
    """One of the worker's duties, as it performs it."""
    perform = next(each.perform for each in worker.duties(world.app) if each.name == name)
    return Step(f"worker: {name}", perform)


def _register(name: str) -> None:
    kind(f"worker: {name}", _OFTEN.get(name, 1))(lambda world, _session: duty(world, name))


for _name in DUTIES:
    _register(_name)
