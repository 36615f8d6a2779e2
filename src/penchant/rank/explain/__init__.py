"""Why an item stood where it stood."""
