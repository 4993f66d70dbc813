"""Great Expectations, and nothing else of ours imports it (inside functions, it is heavy)."""
