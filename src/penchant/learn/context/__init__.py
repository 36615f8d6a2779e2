"""Learning the circumstances: which fields contexts have, what they tell, and the counts."""
