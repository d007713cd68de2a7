"""Accounts, entries of two-sided legs, and the chain that ties them: a mechanism that knows nothing of tourism."""
