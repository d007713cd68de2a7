"""The trips themselves: who worked, the sharing-out; who joins and leaves; what the members agree on."""

from datetime import timedelta

from sqlalchemy import update

from cbt.communities import services as communities
from cbt.communities.models import Household
from cbt.db import db, transaction
from cbt.errors import AlreadySettled, PeriodClosed
from cbt.revenue import proposals, work
from cbt.revenue import services as revenue
from cbt.revenue.adoption import Meeting, Minutes, Signer, UsesNature
from cbt.revenue.policy_rules import PolicyRule
from cbt.revenue.records import NewPreparation, NewWork
from tests import factories
from tests.revenue.model.life import AGREED, deed, policy_of
from tests.revenue.model.money_back import can_give, free

MOST_HOUSEHOLDS = 8
_MINUTES = Minutes("minutes.pdf", b"%PDF-1.7 signed")


def over(life):
    """Trips that are over, have money to share out, and are not settled."""
    return [
        trip
        for trip, on in life.trips.items()
        if on <= life.today and trip not in life.settled and has_money(life, trip)
    ]


def has_money(life, trip):
    return any(
        each.trip == trip
        and (each.state == "booked" or (each.state == "cancelled" and each.kept > 0))
        for each in life.paper.bookings.values()
    )


def ready(life):
    """Those that nothing stops from being settled."""
    return [trip for trip in over(life) if trip in life.work and not stops(life, trip)]


def stops(life, trip):
    own = [each for each in life.paper.bookings.values() if each.trip == trip]
    untold = any(p.number in life.untold for b in own for p in b.payments)
    asked = any(r.state == "asked" and r.is_goodwill for b in own for r in b.refunds)
    choosing = any(booking.state == "choosing" for booking in own)
    return untold or asked or choosing or any(d.state == "open" for b in own for d in b.disputes)


def for_nothing(life):
    """Parties of trips that can be settled, and all of whose money can go back."""
    trips = ready(life)
    return [
        each
        for each in life.bookings("booked")
        if each.trip in trips and can_give(each) and free(each) == each.kept
    ]


class Service:
    """Deeds of hosts and of the members' meeting."""

    @deed(9, over)
    def serve(self, trip):
        """Who worked is written down by one person and confirmed by another."""
        members = self.paper.members(self.trips[trip])
        households = self.some(members, 4, "households")
        tasks = [
            "cook",
            *(self.one(["boat", "guide", "prepare", "cook"], "task") for _ in households),
        ]
        rows = [
            (code, task, self.amount(1, 3, "units"))
            for code, task in zip(households, tasks, strict=False)
        ]
        recorded = [NewWork(code, task, units, 60) for code, task, units in rows]
        revenue.record_work(self.id, trip, recorded, self.office.treasurer, self.now)
        record = work.get_record(db.session(), trip)
        if record.unconfirmed:
            person = self.office.coordinator
            work.confirm(self.id, trip, record.content_sha256, person, self.now)
        self.work[trip] = rows

    @deed(14, ready)
    def settle(self, trip):
        previewed = revenue.preview_settlement(self.id, trip).fingerprint
        person = self.office.treasurer
        turn = revenue.settle(self.id, trip, previewed, person, self.now)
        assert turn == 1 + len(self.settled)
        own = [each for each in self.paper.bookings.values() if each.trip == trip]
        if any(each.state == "booked" and each.kept <= 0 for each in own):
            self.count("zero_price_trip")
        self.paper.settle(trip, self.trips[trip], self.work[trip], turn)
        self.settled[trip] = turn

    @deed(3, for_nothing)
    def settle_for_nothing(self, booking):
        """All of a party's money goes back before its trip is shared out: a split without a leg."""
        self._give(booking, booking.kept)
        for about in [(booking, each) for each in booking.refunds if each.state == "asked"]:
            self.approve_refund(about)
        assert booking.kept == 0
        self.settle(booking.trip)

    @deed(2, lambda life: [t for t in over(life) if t not in life.paper.prepared])
    def prepare(self, trip):
        """What households had bought for guests who then cancelled."""
        members = self.paper.members(self.trips[trip])
        households = self.some(members, 3, "prepared by")
        costs = {code: self.amount(1, 30_000, "cost") for code in households}
        rows = [NewPreparation(code, "rice", cost) for code, cost in costs.items()]
        revenue.record_preparation(self.id, trip, rows, self.office.treasurer, self.now)
        self.paper.prepared[trip] = costs

    @deed(2, lambda life: [trip for trip, on in life.trips.items() if is_closed(life, on)])
    def record_after_close(self, trip):
        """A trip of a closed month: nobody can say any more who worked."""
        rows = [NewWork("H01", "cook", 1, 60)]
        with self.refused(PeriodClosed, AlreadySettled):
            revenue.record_work(self.id, trip, rows, self.office.treasurer, self.now)

    # --- households ------------------------------------------------------------------------------

    @deed(1, lambda life: [None] if len(life.paper.register) < MOST_HOUSEHOLDS else [])
    def join(self, _about):
        code = f"H{len(self.paper.register) + 1:02}"
        communities.add_household(self.id, code, factories.text(code), self.today)
        self.paper.register.append(code)
        self.paper.active[code] = (self.today, None)

    @deed(1, lambda life: life.paper.members(life.today)[3:])
    def leave(self, code):
        """From tomorrow on; what the household earned stays its own."""
        until = self.today + timedelta(days=1)
        with transaction() as session:  # by hand: no use case ends a membership yet
            own = (Household.community_id == self.id, Household.code == code)
            session.execute(update(Household).where(*own).values(active_until=until))
        self.paper.active[code] = (self.paper.active[code][0], until)

    # --- policy ----------------------------------------------------------------------------------

    @deed(2, lambda life: AGREED[len(life.versions) : len(life.versions) + 1])
    def change_policy(self, agreed):
        """Proposed, resolved, in force some days later; what was sold before keeps its own."""
        person = self.office.coordinator
        draft = proposals.begin_draft(self.id, policy_of(agreed), person, self.now)
        proposals.change_draft(
            self.id, draft, policy_of(agreed), UsesNature.YES, "agreed in writing"
        )
        proposal = proposals.propose(self.id, draft, person, self.now)
        since = self.today + timedelta(days=self.amount(1, 5, "days"))
        since = max(since, self.versions[-1][0] + timedelta(days=1))
        present = len(self.paper.members(self.today))
        voted_for = present // 2 + 1
        meeting = Meeting(
            met_on=self.today,
            place="hall",
            meeting="members' meeting",
            present=present,
            voted_for=voted_for,
            voted_against=present - voted_for,
            abstained=0,
            effective_from=since,
            signers=(Signer("One", "chair"), Signer("Two", "secretary")),
        )
        said = {str(each): "we know and talk about it" for each in PolicyRule}
        proposals.adopt(self.id, proposal, meeting, _MINUTES, said, person, self.now)
        self.versions.append((since, policy_id(self.id)))
        self.paper.policies.append((since, agreed))


def policy_id(community_id):
    db.session.rollback()
    found = revenue.last_version(db.session(), community_id)
    db.session.rollback()
    return found.id


def is_closed(life, on):
    return bool(life.closed) and (on.year, on.month) <= (
        life.closed[-1].year,
        life.closed[-1].month,
    )
