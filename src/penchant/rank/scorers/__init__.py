"""Everything that gives candidates a score."""
