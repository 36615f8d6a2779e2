"""Pictures, sounds and ready vectors of items, as vectors beside that of their text."""
