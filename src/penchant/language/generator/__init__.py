"""Text to text: a generator behind an endpoint, its limits, its prompts, and what is sent to it."""
