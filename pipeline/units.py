"""Seconds become samples here and nowhere else."""

from __future__ import annotations

WHOLE_WITHIN = 1e-6
"""How far from a whole number a count of samples may be."""


def seconds_to_samples(seconds: float, *, rate_hz: float, where: str) -> int:
    """Return ``seconds`` as a whole number of samples at ``rate_hz``.

    ``0.58 * 100`` is 57.999… in binary; rounding gives 58 where ``int`` gives 57.

    Raises:
        ValueError: the product is not whole within 1e-6 samples; names ``where``.
    """
    exact = seconds * rate_hz
    n_samples = round(exact)
    if abs(exact - n_samples) > WHOLE_WITHIN:
        raise ValueError(
            f"{where}: {seconds} s at {rate_hz} Hz is {exact:.6f} samples, must be a whole number"
        )
    return n_samples
