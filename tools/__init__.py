"""Offline: the command line and everything that turns a bundle into a bundle or a report."""
