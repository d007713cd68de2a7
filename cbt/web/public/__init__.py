"""Everybody: finding an experience, and signing in."""
