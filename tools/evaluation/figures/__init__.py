"""Figures made of saved rows, without decoding again."""
