"""A household's own statement."""
