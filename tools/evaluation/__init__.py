"""What a system is worth, and whether it reads EEG at all: scores, controls, one verdict."""
