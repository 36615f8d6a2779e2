"""From walked requests to the scorer that answers: rows, trees, the choice, the search."""
