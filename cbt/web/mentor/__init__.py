"""Mentors: auditing the communities assigned."""

from cbt.web.mentor import months, views

__all__ = ["months", "views"]
