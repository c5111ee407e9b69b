"""Bundles on every backend a machine has: how fast, how right, and what changed since."""
