"""What a model is: the bundle, the inference backends, the networks."""
