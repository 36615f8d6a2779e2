"""What recall learns: the linear models and the networks."""
