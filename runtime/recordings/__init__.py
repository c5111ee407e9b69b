"""Recordings of every format, read as sources, and our own written."""
