"""Everything a person meets: the command line, the HTTP service, its clients."""
