"""Measurements beside a floor in the same run; see README.md."""
