"""Communities, their households and members, and the chart of accounts of their books."""
