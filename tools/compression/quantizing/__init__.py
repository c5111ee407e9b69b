"""Smaller and faster bundles, with proof: a bundle in, a better bundle out."""
