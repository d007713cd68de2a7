"""A stateful double of Stripe on loopback: for tests, and by hand for the setting STRIPE_API_BASE.

It keeps what is created and behaves as Stripe's documentation says, in the API version of the
installed library: see `docs/testing-payments.md`. `handle.StripeDouble` is the way in.
"""

from tests.stripe_double.faults import Fault
from tests.stripe_double.handle import StripeDouble

__all__ = ["Fault", "StripeDouble"]
