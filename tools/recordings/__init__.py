"""Recordings as the workbench takes them: read whole, with their trials and digests."""
