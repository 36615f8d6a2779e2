"""Hundreds to one slate: features, scorers, diversity, explanation."""
