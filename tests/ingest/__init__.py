"""Tests of what happens before a fact is believed."""
