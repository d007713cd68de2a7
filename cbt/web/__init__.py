"""The doors, one per audience: read the input, check who, call one use case or query, show the result."""
