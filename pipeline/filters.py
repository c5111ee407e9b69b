"""Raw microvolts to what the model reads: hold, reference, filter bank, normalisation.

Invariant: the output depends on the samples alone, never on how they were cut into chunks, to the
bit. Each sample is filtered once. State is float64; each band is rounded to float32 once.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from pipeline.sections import Cascade

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.spec import Normalise, PipelineSpec, Reference
    from pipeline.values import Samples


class Hold:
    """Keeps NaN and infinity out of filter state: the channel's last finite value is held.

    Before a channel's first finite value it is held at 0.
    """

    def __init__(self, n_channels: int) -> None:
        self._last = np.zeros(n_channels, dtype=np.float32)

    def push(self, raw: Samples) -> tuple[Samples, NDArray[np.bool_] | None]:
        """Return finite samples and which values were held, ``(n_samples, n_channels)``.

        ``raw`` itself is returned, with None, where nothing had to be held.
        """
        if not len(raw):
            return raw, None
        with np.errstate(over="ignore", invalid="ignore"):
            total = float(np.add.reduce(raw, axis=None))
        if math.isfinite(total):  # the usual case, in one pass
            self._last[:] = raw[-1]
            return raw, None
        finite = np.isfinite(raw)
        if finite.all():
            self._last[:] = raw[-1]
            return raw, None
        clean = raw.copy()
        previous = self._last
        for row, ok in zip(clean, finite, strict=True):
            np.copyto(row, previous, where=~ok)
            previous = row
        self._last[:] = previous
        return clean, ~finite


def reference_matrix(reference: Reference, channels: tuple[str, ...]) -> NDArray[np.intp] | None:
    """Return the indices of the channels whose mean is subtracted, or None for no reference.

    Raises:
        ValueError: a named channel is not among ``channels``.
    """
    if reference.kind == "none":
        return None
    if reference.kind == "average":
        return np.arange(len(channels))
    missing = [name for name in reference.channels if name not in channels]
    if missing or not reference.channels:
        raise ValueError(
            f"reference.channels: got {missing or 'none'}, wanted some of {list(channels)}"
        )
    return np.array([channels.index(name) for name in reference.channels])


class RunningNormaliser:
    """Minus an exponential mean, over an exponential standard deviation, both causal."""

    def __init__(self, settings: Normalise, *, rate_hz: float, n_signals: int) -> None:
        weight = 1.0 - np.exp(-1.0 / (settings.time_constant_s * rate_hz))
        keep = 1.0 - weight
        smooth = np.array([[weight, 0.0, 0.0, 1.0, -keep, 0.0]])
        self._mean = Cascade(smooth, n_signals=n_signals)
        self._variance = Cascade(smooth, n_signals=n_signals)
        start = np.zeros((n_signals, 1, 2))
        start[:, 0, 0] = keep * settings.initial_scale_uv**2
        self._variance.set_state(start)
        self._floor_uv = settings.floor_uv

    def run(self, signals: NDArray[np.float64]) -> None:
        """Normalise ``(n_signals, n_samples)`` in place."""
        mean = signals.copy()
        self._mean.run(mean)
        signals -= mean
        variance = np.square(signals)
        self._variance.run(variance)
        signals /= np.maximum(np.sqrt(variance), self._floor_uv)


class FixedNormaliser:
    """Minus a mean, over a scale, per band and channel."""

    def __init__(self, settings: Normalise, *, n_signals: int) -> None:
        self._mean_uv = np.array(settings.mean_uv, dtype=np.float64)[:, np.newaxis]
        self._scale_uv = np.array(settings.scale_uv, dtype=np.float64)[:, np.newaxis]
        if not len(self._mean_uv) == len(self._scale_uv) == n_signals:
            raise ValueError(
                f"normalise: got {len(self._mean_uv)} means and {len(self._scale_uv)} scales,"
                f" wanted {n_signals} of each (bands times channels)"
            )

    def run(self, signals: NDArray[np.float64]) -> None:
        """Normalise ``(n_signals, n_samples)`` in place."""
        signals -= self._mean_uv
        signals /= self._scale_uv


class FilterChain:
    """The whole front end of a :class:`~pipeline.spec.PipelineSpec`, with its state.

    Not thread-safe; owns every buffer it works in.

    Raises:
        ValueError: a band without sections, or a reference or normalisation that does not fit the
            channels.
    """

    def __init__(self, spec: PipelineSpec) -> None:
        self._n_channels = len(spec.channels)
        self.n_inputs = len(spec.bands) * self._n_channels
        self._reference = reference_matrix(spec.reference, spec.channels)
        self._hold = Hold(self._n_channels)
        self._cascades = []
        for k, band in enumerate(spec.bands):
            if not band.sos:
                raise ValueError(f"bands[{k}].sos: got no sections, wanted a designed band")
            self._cascades.append(Cascade(np.array(band.sos), n_signals=self._n_channels))
        self._normaliser: RunningNormaliser | FixedNormaliser | None = None
        if spec.normalise.kind == "running":
            self._normaliser = RunningNormaliser(
                spec.normalise, rate_hz=spec.rate_hz, n_signals=self.n_inputs
            )
        elif spec.normalise.kind == "fixed":
            self._normaliser = FixedNormaliser(spec.normalise, n_signals=self.n_inputs)
        self._clip = spec.normalise.clip
        self._started = np.zeros(self._n_channels, dtype=bool)

    def push(self, raw: Samples) -> Samples:
        """Return what the model reads, ``(n_samples, n_bands * n_channels)`` float32.

        Args:
            raw: ``(n_samples, n_channels)`` float32 µV; not modified.
        """
        return self.push_marking(raw)[0]

    def push_marking(self, raw: Samples) -> tuple[Samples, NDArray[np.bool_] | None]:
        """Return :meth:`push`'s samples, and which raw values were not finite (None: all were)."""
        clean, held = self._hold.push(raw)
        if self._started.all():
            return self._filter(clean), held
        pieces = []
        start = 0
        for stop in self._settling_points(held, len(clean)):
            pieces.append(self._filter(clean[start:stop]))
            self._settle(clean[stop], None if held is None else held[stop])
            start = stop
        pieces.append(self._filter(clean[start:]))
        return np.concatenate(pieces), held

    def _settling_points(self, held: NDArray[np.bool_] | None, n_samples: int) -> list[int]:
        """Return the samples at which a channel that never was finite first is."""
        if not n_samples:
            return []
        if held is None:
            return [0]
        return sorted({int(k) for k in np.argmin(held[:, ~self._started], axis=0)})

    def _settle(self, sample: NDArray[np.float32], held: NDArray[np.bool_] | None) -> None:
        """Start the cascades of channels whose first finite value is in ``sample``."""
        value = sample.astype(np.float64)
        if self._reference is not None:
            value -= value[self._reference].mean()
        ready = ~self._started if held is None else ~self._started & ~held
        for channel in np.flatnonzero(ready):
            for cascade in self._cascades:
                cascade.settle(int(channel), float(value[channel]))
        self._started |= ready

    def _filter(self, clean: Samples) -> Samples:
        signals = clean.T.astype(np.float64, order="C")  # (n_channels, n_samples)
        if self._reference is not None:
            # A running sum over channels: the same order whatever the number of samples.
            signals -= np.add.reduce(signals[self._reference], axis=0) / len(self._reference)
        out = np.empty((len(clean), self.n_inputs), dtype=np.float32)
        for k, cascade in enumerate(self._cascades):
            band = signals if k == len(self._cascades) - 1 else signals.copy()
            cascade.run(band)
            out[:, k * self._n_channels : (k + 1) * self._n_channels] = band.T
        if self._normaliser is not None:
            wide = out.T.astype(np.float64, order="C")  # (n_bands * n_channels, n_samples)
            self._normaliser.run(wide)
            out[:] = wide.T
        if self._clip is not None:
            np.clip(out, -self._clip, self._clip, out=out)
        return out
