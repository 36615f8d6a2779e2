"""Where bytes live: the log, the catalogue, people, snapshots, vectors."""
