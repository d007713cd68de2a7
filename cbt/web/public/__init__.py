"""Everybody: finding an experience, signing in, checking a statement."""

from cbt.web.public import experience, verify, views

__all__ = ["experience", "verify", "views"]
