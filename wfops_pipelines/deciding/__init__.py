"""What people decide, and what the gate makes of it."""
