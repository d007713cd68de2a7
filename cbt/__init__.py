"""Booking and revenue sharing for community-based tourism.

Nothing is imported here, so that loading a rule never loads Flask.
"""
