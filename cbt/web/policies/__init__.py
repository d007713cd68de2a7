"""Split policies: read by every member, drafted and recorded by coordinators and treasurers."""
