"""Frozen values that every other floor speaks of. Standard library only."""
