"""A village whose boat is owned together, and whose share register two people keep."""

from dataclasses import replace

from sqlalchemy import select

from cbt.communities.queries import list_share_register
from cbt.communities.records import NewAsset, NewShareChange
from cbt.communities.shares import AssetKind, Decision, ShareKind
from cbt.db import db
from cbt.experiences.models import Option
from cbt.revenue import ownership
from cbt.revenue.policy import DEFAULT
from tests import factories
from tests.site import NOW

DAY = factories.TOMORROW
PAPER = "a" * 64


class Coop:
    """A village whose boat is owned together, and two people who may record and confirm."""

    def __init__(self, policy=DEFAULT):
        self.village = factories.make_village(households=3, policy=policy)
        self.id = self.village.id
        self.first, self.second = self.village.person_id, factories.make_person()
        self.experience_id = db.session.scalar(
            select(Option.experience_id).where(Option.id == self.village.option_id)
        )
        self.boat = ownership.add_asset(
            self.id,
            NewAsset(kind=AssetKind.BOAT, title=factories.text("boat"), begins_on=factories.SPRING),
            self.first,
            NOW,
        )

    def record(self, kind, giver, taker, shares, on=factories.SPRING, **changes):
        new = NewShareChange(
            asset_id=self.boat,
            kind=ShareKind(kind),
            from_household=giver,
            to_household=taker,
            shares=shares,
            effective_on=on,
            document="Minutes of 1 January",
            document_sha256=PAPER,
        )
        new = replace(new, **changes)
        return ownership.record_change(self.id, new, self.first, NOW)

    def confirm(self, event_id, person=None, decision=Decision.CONFIRMED):
        ownership.decide_change(self.id, event_id, decision, person or self.second, NOW)

    def change(self, *about, **changes):
        self.confirm(self.record(*about, **changes))

    def use(self, asset_id, on=factories.SPRING, *, confirm=True):
        use_id = ownership.record_use(self.id, self.experience_id, asset_id, on, self.first, NOW)
        if confirm:
            ownership.decide_use(self.id, use_id, Decision.CONFIRMED, self.second, NOW)
        return use_id

    def register(self, on=DAY):
        db.session.rollback()
        return list_share_register(db.session(), self.experience_id, on)
