"""Pure arithmetic that learning, gates and evaluation share."""
