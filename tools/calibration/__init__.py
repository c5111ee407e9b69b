"""A speller fitted to one person, its proof and its bundle."""
