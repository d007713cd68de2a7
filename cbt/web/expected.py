"""Where a booking's money is going to flow, before all of it is there. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from cbt.experiences.pricing import CostLine
from cbt.revenue.policy import Bucket, Policy
from cbt.revenue.posting import BookingFacts, split_booking
from cbt.revenue.split import Borne, Cost
from cbt.web.flow import Flow, draw


@dataclass(frozen=True)
class Off:
    """A discount in satang and who pays for it; nobody in particular pays for none."""

    amount_satang: int = 0
    bearer: str | None = None

    @property
    def borne(self) -> Borne | None:
        """What one bucket gives; a discount that everybody bears is simply less income."""
        if not self.amount_satang or self.bearer not in set(Bucket):
            return None
        return Borne(self.amount_satang, Bucket(self.bearer))


def expected_flow(
    amount_satang: int, fee_satang: int, costs: Iterable[CostLine], policy: Policy, off: Off
) -> Flow:
    """The picture of so much money, with the provider's fee as an estimate.

    Raises DiscountTooLarge or CostsExceedIncome when it cannot be split so.
    """
    facts = BookingFacts(
        reference="",
        service_on=date.min,
        captured_satang=amount_satang,
        payment_fee_satang=fee_satang,
        costs=tuple(Cost(cost.code, cost.amount_satang) for cost in costs),
        policy=policy,
        discount=off.borne,
    )
    return draw(split_booking(facts))
