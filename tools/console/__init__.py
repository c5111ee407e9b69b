"""What verbs share on the command line: what is typed, and what shows while they run."""
