"""Replay through the real engine, baselines, the simulated world, reports."""
