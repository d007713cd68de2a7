"""Everybody: finding an experience, signing in, checking a statement, reading what the funds hold."""

from cbt.web.public import experience, funds, transparency, verify, views

__all__ = ["experience", "funds", "transparency", "verify", "views"]
