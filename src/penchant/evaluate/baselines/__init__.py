"""What the engine has to beat, fitted on the same past and told the same log."""
