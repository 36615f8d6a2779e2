"""Tuning a text encoder on behaviour: a model folder and a log in, a tuned model folder out."""
