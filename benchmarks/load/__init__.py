"""Load for the HTTP service from a process of its own, and what the service's processes cost."""
