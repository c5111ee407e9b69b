"""Exported networks with weights of 16, 8 or 4 bits, and products in whole numbers."""
