"""What is the matter with a recommender, and what to do about it."""
