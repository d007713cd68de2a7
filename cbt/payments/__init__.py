"""Providers, attempts, captures and money given back; the one door through which money reaches the books."""
