"""The circumstances of a request and of past events, as numbers: what, when, where, with whom."""
