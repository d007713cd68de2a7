"""Sample communities, loaded through the same use cases that real ones use."""
