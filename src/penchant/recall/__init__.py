"""Millions to hundreds: one source a file, and gather."""
