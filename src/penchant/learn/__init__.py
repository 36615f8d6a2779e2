"""Log to snapshot, always in a process of its own; the only home of torch."""
