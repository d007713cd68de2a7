"""Mentors: auditing the communities assigned."""

from cbt.web.mentor import cases, months, samples, views

__all__ = ["cases", "months", "samples", "views"]
