"""Command line now; HTTP and console later."""
