"""Text to vector, text to label, text to text; torch-free."""
