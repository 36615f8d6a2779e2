"""Before a fact is believed: files, frames, cleaning, privacy, robustness."""
