"""A household's own pages: its statement, what it was paid, its requests to the funds."""

from cbt.web.household import funds, payouts, views

__all__ = ["funds", "payouts", "views"]
