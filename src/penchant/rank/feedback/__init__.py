"""What was shown met with what was done: answers to slates, and what is learned from them."""
