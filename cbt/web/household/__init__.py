"""A household's own pages: its statement, what it was paid, its requests to the funds."""

from cbt.web.household import consent, funds, payouts, views

__all__ = ["consent", "funds", "payouts", "views"]
