"""The bearer of a booking's signed link."""
