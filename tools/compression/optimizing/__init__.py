"""Searches the steps that make a bundle smaller and faster, and confirms what it found."""
