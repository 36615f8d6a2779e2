"""The engine over HTTP: routes, bodies, keys, limits, and errors that say what to do."""
