"""Which spans of text are fit to learn from, and what is wrong with the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from numpy.typing import NDArray

    from pipeline.values import Samples
    from tools.recordings.signal import Signal
    from tools.training.data.labelled_text import TextSpan
    from tools.training.data.settings import DataSettings

LONGEST_TEXT = 10_000
"""Characters of one span."""


def flat_channels(samples: Samples) -> NDArray[np.bool_]:
    """Return which channels of ``(n_samples, n_channels)`` never change; NaN is no change."""
    if not len(samples):
        return np.zeros(samples.shape[1], dtype=np.bool_)
    least = np.fmin.reduce(samples, axis=0)  # (n_channels,)
    most = np.fmax.reduce(samples, axis=0)  # (n_channels,)
    is_flat: NDArray[np.bool_] = ~(most > least)
    return is_flat


def fit_spans(
    signal: Signal,
    spans: Sequence[TextSpan],
    settings: DataSettings,
    *,
    allowed: Collection[str] | None,
) -> tuple[tuple[TextSpan, ...], tuple[str, ...]]:
    """Return the spans that are fit, and a line for each of the others.

    Args:
        signal: of the recording; no more than ``settings.n_flat`` of its channels are flat.
        spans: in order of their starts.
        settings: the limits.
        allowed: characters a text may have; None for any that print.
    """
    overlapping = _overlapping(spans)
    fit: list[TextSpan] = []
    faults: list[str] = []
    for k, span in enumerate(spans):
        fault = _text_fault(span.text, allowed)
        fault = fault or _place_fault(signal, span, settings)
        fault = fault or overlapping.get(k, "")
        fault = fault or _signal_fault(signal, span, settings)
        if fault:
            at_s = span.start / signal.info.rate_hz
            faults.append(f"text {_short(span.text)} at {at_s:.2f} s {fault}")
        else:
            fit.append(span)
    return tuple(fit), tuple(faults)


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:39]}…")


def _text_fault(text: str, allowed: Collection[str] | None) -> str:
    if not text:
        return "is empty, wanted a character or more"
    if len(text) > LONGEST_TEXT:
        return f"has {len(text)} characters, wanted at most {LONGEST_TEXT}"
    is_allowed: Callable[[str], bool] = str.isprintable if allowed is None else allowed.__contains__
    bad = sorted({symbol for symbol in text if not is_allowed(symbol)})
    if bad:
        wanted = "characters that print" if allowed is None else "characters of the vocabulary"
        return f"has {', '.join(map(repr, bad[:5]))}, wanted {wanted}"
    return ""


def _place_fault(signal: Signal, span: TextSpan, settings: DataSettings) -> str:
    n_samples, rate_hz = len(signal.samples), signal.info.rate_hz
    if not 0 <= span.start < span.stop <= n_samples:
        return (
            f"takes samples {span.start} to {span.stop}, wanted some of the recording's {n_samples}"
        )
    length_s = (span.stop - span.start) / rate_hz
    if length_s > settings.longest_s:
        return f"takes {length_s:.0f} s, wanted at most {settings.longest_s:g} s (longest_s)"
    if len(span.text) > settings.fastest_hz * length_s:
        return (
            f"has {len(span.text)} characters in {length_s:.2f} s, wanted at most"
            f" {settings.fastest_hz:g} a second (fastest_hz)"
        )
    return ""


def _overlapping(spans: Sequence[TextSpan]) -> dict[int, str]:
    """Return what to say of each span that shares samples with another, by its number."""
    found: dict[int, str] = {}
    furthest = 0
    for k, span in enumerate(spans[1:], start=1):
        furthest = max(furthest, k - 1, key=lambda j: spans[j].stop)
        if span.start < spans[furthest].stop:
            for one, other in ((k, furthest), (furthest, k)):
                what = f"overlaps with {_short(spans[other].text)}, wanted one text at a time"
                found.setdefault(one, what)
    return found


def _signal_fault(signal: Signal, span: TextSpan, settings: DataSettings) -> str:
    samples = signal.samples[span.start : span.stop]
    n_channels = samples.shape[1]
    n_lost = sum(
        int(event.figures.get("n_samples") or 0)
        for event in signal.events
        if event.kind == "gap" and span.start < event.sample < span.stop
    )
    n_missing = int((~np.isfinite(samples)).sum()) + n_lost * n_channels
    share = n_missing / ((len(samples) + n_lost) * n_channels)
    if share > settings.max_missing:
        return (
            f"lacks {share:.1%} of its values, wanted at most {settings.max_missing:.1%}"
            " (max_missing)"
        )
    flat = np.flatnonzero(flat_channels(samples))
    if len(flat) > settings.n_flat:
        names = ", ".join(signal.info.channels[k] for k in flat[:6])
        return f"has {len(flat)} flat channels ({names}), wanted at most {settings.n_flat} (n_flat)"
    return ""
