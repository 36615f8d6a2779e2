"""Labels to heads: what is learned from texts that somebody labelled, and what to label next."""
