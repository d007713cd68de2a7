"""Everybody: finding an experience, signing in, reading what the funds hold."""

from cbt.web.public import experience, funds, views

__all__ = ["experience", "funds", "views"]
