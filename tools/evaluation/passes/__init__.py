"""Recordings through the chain, as they are and with other inputs: what is judged."""
