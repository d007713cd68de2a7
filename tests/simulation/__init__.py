"""A community's money over months, drawn from a seed, with a process that may die at any statement."""
