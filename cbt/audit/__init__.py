"""Proving a community's books: recomputation from facts, invariants, and the chain."""
