"""Agencies: totals over communities and provinces, no household and no person."""

from cbt.web.agency import views

__all__ = ["views"]
