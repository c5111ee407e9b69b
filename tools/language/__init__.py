"""Language models of characters and words, and how words are pronounced."""
