"""Listings: experiences, their options and prices, in both languages."""
