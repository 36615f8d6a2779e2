"""Everything that puts a scored pool into another order, each for one reason."""
