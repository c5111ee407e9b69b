"""What a training shows of itself, if it is asked to."""
