"""Labelled recordings as examples: read, checked, split, cut, filtered, augmented."""
