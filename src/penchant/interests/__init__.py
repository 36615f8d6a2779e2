"""What this person wants now: history and the state h_t."""
