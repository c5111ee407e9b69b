"""From a band's description to its sections; offline only, the bundle keeps the result."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

if TYPE_CHECKING:
    from pipeline.spec import Band, PipelineSpec


IDENTITY = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)
LARGEST = 1e6


def design_band(band: Band, *, rate_hz: float) -> Band:
    """Return ``band`` with its ``sos``: Butterworth sections first, then one per notch.

    A band without edges and notch lets everything pass: for features that are no EEG.

    Raises:
        ValueError: an edge or notch outside ``(0, rate_hz / 2)``, or edges in the wrong order.
    """
    from scipy import signal  # heavy; the daemon never comes here

    nyquist_hz = rate_hz / 2
    for name, edge_hz in (
        ("low_hz", band.low_hz),
        ("high_hz", band.high_hz),
        ("notch_hz", band.notch_hz),
    ):
        if edge_hz is not None and not 0 < edge_hz < nyquist_hz:
            raise ValueError(f"band.{name}: {edge_hz} must lie between 0 and {nyquist_hz} Hz")
    sections = []
    match band.low_hz, band.high_hz:
        case None, None:
            pass
        case None, high_hz:
            sections.append(signal.butter(band.order, high_hz, "lowpass", fs=rate_hz, output="sos"))
        case low_hz, None:
            sections.append(signal.butter(band.order, low_hz, "highpass", fs=rate_hz, output="sos"))
        case low_hz, high_hz:
            if low_hz >= high_hz:
                raise ValueError(f"band.low_hz: {low_hz} must be below band.high_hz {high_hz}")
            edges_hz = (low_hz, high_hz)
            sections.append(
                signal.butter(band.order, edges_hz, "bandpass", fs=rate_hz, output="sos")
            )
    if band.notch_hz is not None:
        for harmonic in range(1, band.notch_harmonics + 1):
            if harmonic * band.notch_hz < nyquist_hz:
                b, a = signal.iirnotch(harmonic * band.notch_hz, band.notch_q, fs=rate_hz)
                sections.append(np.concatenate([b, a])[np.newaxis])
    if not sections:
        sections.append(np.array([IDENTITY]))
    sos = tuple(tuple(float(v) for v in row) for block in sections for row in block)
    return msgspec.structs.replace(band, sos=sos)


def design(spec: PipelineSpec) -> PipelineSpec:
    """Return ``spec`` with every band designed; bands that have sections keep them."""
    bands = tuple(b if b.sos else design_band(b, rate_hz=spec.rate_hz) for b in spec.bands)
    return msgspec.structs.replace(spec, bands=bands)


def is_stable(band: Band) -> bool:
    """Say whether every section is normalised and has its poles inside the unit circle.

    Numbers beyond any filter's would overflow, stable or not.
    """
    return all(
        all(abs(v) <= LARGEST for v in s)  # false of what is no number
        and s[3] == 1.0
        and abs(s[5]) < 1.0
        and abs(s[4]) < 1.0 + s[5]
        for s in band.sos
    )
