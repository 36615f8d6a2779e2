"""Tuning the language model on behaviour: the encoder itself, or a layer above it."""
