"""A simulated person typing, and the bundle that reads them."""
