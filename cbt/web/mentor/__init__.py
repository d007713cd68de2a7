"""Mentors: auditing the communities assigned."""
