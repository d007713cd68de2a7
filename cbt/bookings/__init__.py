"""Departures and their places, holds, and bookings from hold to confirmation."""
