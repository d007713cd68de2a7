"""A stateful double of Stripe on loopback: for tests, and by hand for the setting STRIPE_API_BASE.

It keeps what is created and behaves as Stripe's documentation says, in the API version of the
installed library, which also says which parameters and fields there are (`strict`, `answers`).

    with StripeDouble(webhook_url=...) as double:
        client = stripe.StripeClient(double.secret_key, base_addresses={"api": double.address})
        ...
        double.pay_by_card(session.id)

What nobody could verify on a real Thai account is named where it is decided: fees (`fees`), when a
PromptPay refund is booked (`refunds`), which events PromptPay sends in Checkout (`Switches`).
"""

from tests.stripe_double.faults import Fault
from tests.stripe_double.handle import StripeDouble

__all__ = ["Fault", "StripeDouble"]
