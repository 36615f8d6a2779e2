"""A watch over the log: what is not as it was, found while it happens."""
