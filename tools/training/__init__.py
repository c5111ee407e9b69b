"""Networks from labelled recordings: examples, the training loop, the bundle that comes of it."""
