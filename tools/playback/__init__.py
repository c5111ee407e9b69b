"""Recordings and simulated EEG played to the chain, or over LSL, and the text scored."""
