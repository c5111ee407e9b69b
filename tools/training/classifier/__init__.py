"""Classifiers of windows: trained, scored, made a bundle."""
