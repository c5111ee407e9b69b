"""What a model hears: windows of recordings as the chain gives them, or the golden ones."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from models.golden import GOLDEN
from pipeline.errors import RecordingError
from runtime.engine import check_fit
from runtime.recordings.source import RecordingSource
from runtime.source import drain

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from models.bundle import Bundle
    from models.model import Model
    from pipeline.values import Samples
    from runtime.engine import Engine

N_WINDOWS = 2000
"""How many are kept of each recording: the first ones, in order, for a state is carried."""


def recorded_windows(engine: Engine, recordings: Sequence[Path]) -> NDArray[np.float32]:
    """Return windows (n, n_samples, n_inputs), one recording after the other.

    Raises:
        RecordingError: a recording cannot be read, or gives no window.
        BundleError: it is of another rate or other channels than the bundle's.
    """
    found: list[NDArray[np.float32]] = []
    for path in recordings:
        source = RecordingSource(path, channels=engine.spec.channels)
        check_fit(engine, source.open(None))
        listener = Listener(engine.model())
        chain = engine.chain(model=listener)
        for batch in drain(source):
            chain.push(batch.samples, batch.markers, batch.events)
            if len(listener.heard) >= N_WINDOWS:
                break
        source.close()
        if not listener.heard:
            raise RecordingError(f"{path}: gives no window to this bundle, wanted a longer one")
        found += listener.heard[:N_WINDOWS]
    return np.stack(found)


def golden_windows(bundle: Bundle) -> NDArray[np.float32]:
    """Return the windows of the golden vectors of a bundle that was proven by them."""
    with np.load(io.BytesIO(bundle.files[GOLDEN]), allow_pickle=False) as arrays:
        windows: NDArray[np.float32] = arrays["windows"]
    return windows


class Listener:
    """A model that keeps what it is given."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self.heard: list[NDArray[np.float32]] = []

    def run(self, window: Samples) -> NDArray[np.float32]:
        """Keep the window; see :class:`models.model.Model`."""
        self.heard.append(window.astype(np.float32, copy=True))
        return self._model.run(window)

    def reset(self) -> None:
        """Forget the state, and nothing of what was heard."""
        self._model.reset()
