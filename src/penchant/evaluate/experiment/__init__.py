"""What an experiment showed: who was in it, what they did, and how sure the difference is."""
