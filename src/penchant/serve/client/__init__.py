"""The verbs of the engine, asked of a service elsewhere."""
