"""Learning what people do with what is shown: how likely they want it, and what it is worth."""
