"""Frozen values and pure rules. Nothing here reads a clock, a network or an environment."""
