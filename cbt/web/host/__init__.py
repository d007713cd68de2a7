"""Coordinators and treasurers: today, transfers, work, settling."""
