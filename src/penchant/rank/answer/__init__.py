"""From a caller's question to a slate: asking, what is in memory, showing."""
