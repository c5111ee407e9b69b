"""Bundles on their way: packages, the local store, others' models, other formats."""
