"""A simulated person, as a source."""
