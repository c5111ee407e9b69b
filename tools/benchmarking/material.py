"""What a bundle is benched on: recordings with their truth, and the windows its model hears.

Recordings are the user's, or sessions of the simulated person; without either there are only the
windows of the bundle's golden vectors: enough to time a backend, not to judge what is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import RecordingError, UsageError
from pipeline.spec import SelectionDecoder, SlidingWindow
from runtime.engine import check_fit
from runtime.paradigm import CHANNELS
from runtime.simulation.synthesis import SynthesisSettings, synthesise
from runtime.source import StreamInfo
from tools.evaluation.baselines import baseline_texts, best_constant
from tools.evaluation.edits import edits, sizes
from tools.evaluation.passes.decodings import primary_unit
from tools.evaluation.passes.overlap import CORPUS, find_overlap
from tools.evaluation.passes.reel import Chunk, Item, Reel
from tools.evaluation.passes.shelf import read_reels
from tools.packaging.real_windows import Listener, golden_windows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from numpy.typing import NDArray

    from models.bundle import Bundle
    from runtime.engine import Engine
    from tools.evaluation.edits import Unit

    Kind = Literal["simulated", "recorded", "golden"]

UNSEEN = CORPUS.with_name("everyday_test.txt")
JUDGED_SEED, MEASURED_SEED = 3_000_000, 4_000_000
"""Of the simulated sessions that are judged, and of those that ranges are measured on."""

N_MEASURED = 4
MOST_WINDOWS, MOST_WRITTEN = 600, 48
"""Windows that are kept; fewer of a network that writes symbol by symbol: they are long."""


@dataclass(frozen=True, slots=True)
class Material:
    """``windows`` (n, T, C) are of the first recording, in order from a fresh state.

    ``measured`` is what ranges of whole numbers are measured on, empty where there is nothing.
    """

    kind: Kind
    unit: Unit
    reels: tuple[Reel, ...]
    windows: NDArray[np.float32]
    measured: tuple[NDArray[np.float32], ...]
    constant_error: float | None
    notes: tuple[str, ...] = ()

    @property
    def references(self) -> list[str]:
        """What was meant, of all texts or trials in order."""
        return [item.reference for reel in self.reels for item in reel.items]

    @property
    def people(self) -> list[str]:
        """Who meant it."""
        return [reel.subject for reel in self.reels for _ in reel.items]


def golden_material(engine: Engine, bundle: Bundle) -> Material:
    """Return the windows of a bundle's golden vectors."""
    return Material(
        kind="golden",
        unit=primary_unit(engine),
        reels=(),
        windows=golden_windows(bundle),
        measured=(),
        constant_error=None,
        notes=("nothing was decoded: neither recordings nor --simulate were given",),
    )


def recorded_material(
    engine: Engine, paths: Sequence[Path], *, trials: frozenset[int] | None = None
) -> Material:
    """Return labelled recordings, read whole; of ``trials`` alone where they are given.

    Raises:
        RecordingError: one cannot be used, holds no truth, gives no window, or is there twice.
        BundleError: one is of another rate, or of other channels.
    """
    reels = tuple(read_reels(paths, engine, trials=trials))
    overlap = find_overlap(engine.bundle.manifest.provenance, reels)
    notes = [f"{reel.name}: {fault}" for reel in reels for fault in reel.faults]
    notes += [f"{name}: the bundle was trained on it" for name in overlap.recordings]
    unit, windows = primary_unit(engine), heard(engine, reels[0])
    notes.append(f"ranges of whole numbers: measured on {reels[0].name}")
    return Material(
        kind="recorded",
        unit=unit,
        reels=reels,
        windows=windows,
        measured=(windows,),
        constant_error=_constant_error(reels, unit, overlap.training or ()),
        notes=tuple(notes),
    )


def simulated_material(engine: Engine, *, n_texts: int) -> Material:
    """Return sessions in which the simulated person types phrases that no training saw.

    Raises:
        UsageError: the bundle selects, and the simulated person types.
        BundleError: it is for another rate, or other channels.
    """
    name = engine.bundle.manifest.name
    if isinstance(engine.spec.decoder, SelectionDecoder):
        raise UsageError(
            f"--simulate: the simulated person types, and the bundle {name!r} selects;"
            " wanted recordings"
        )
    settings = SynthesisSettings()
    check_fit(engine, StreamInfo("the simulated person", "", settings.rate_hz, CHANNELS))
    training = CORPUS.read_text("utf-8").splitlines()
    unseen = UNSEEN.read_text("utf-8").splitlines()[:n_texts]
    reels = tuple(simulated_reel(engine, t, JUDGED_SEED + k) for k, t in enumerate(unseen))
    more = [simulated_reel(engine, t, MEASURED_SEED + k)
            for k, t in enumerate(training[:N_MEASURED])]  # fmt: skip
    unit = primary_unit(engine)
    return Material(
        kind="simulated",
        unit=unit,
        reels=reels,
        windows=heard(engine, reels[0]),
        measured=tuple(heard(engine, reel) for reel in more),
        constant_error=_constant_error(reels, unit, training),
    )


def simulated_reel(engine: Engine, text: str, seed: int) -> Reel:
    """Return a session of one text as if it had been recorded, a hop at a time."""
    session = synthesise(text, seed=seed)
    n_samples, window = len(session.samples), engine.spec.window
    hop = window.hop_samples if isinstance(window, SlidingWindow) else n_samples
    starts = range(0, n_samples, hop)
    (span,) = session.spans
    return Reel(
        path=Path(f"simulated-{seed}"),
        name=f"simulated-{seed}",
        subject="the simulated person",
        session="",
        content="",
        files=frozenset(),
        rate_hz=engine.spec.rate_hz,
        n_samples=n_samples,
        samples=session.samples,
        is_simulated=True,
        chunks=tuple(Chunk(start, min(start + hop, n_samples), (), ()) for start in starts),
        marker_names=dict(engine.spec.markers),
        items=(Item(0, span.text, 0, n_samples),),
    )


def heard(engine: Engine, reel: Reel) -> NDArray[np.float32]:
    """Return windows (n, T, C) of a recording as the chain asks for them.

    Raises:
        RecordingError: there is none.
    """
    most = MOST_WINDOWS if engine.bundle.manifest.step is None else MOST_WRITTEN
    listener = Listener(engine.model())
    chain = engine.chain(model=listener, marker_names=reel.marker_names)
    for chunk in reel.chunks:
        chain.push(reel.samples[chunk.first : chunk.stop], chunk.markers, chunk.events)
        if len(listener.heard) >= most:
            break
    if not listener.heard:
        raise RecordingError(f"{reel.path}: gives no window to this bundle, wanted a longer one")
    return np.stack(listener.heard[:most])


def _constant_error(reels: Sequence[Reel], unit: Unit, training: Sequence[str]) -> float:
    """Return the error of always saying what is best without any EEG."""
    references = [item.reference for reel in reels for item in reel.items]
    if training and unit != "selections":
        texts = [[best_constant(training, unit)] * len(references)]
    else:
        known = baseline_texts(references, unit, training=training)
        texts = [said for name, said in known.items() if name.startswith(("constant", "empty"))]
    size = sizes(references, unit).sum()
    return min(float(edits(references, said, unit).sum() / size) for said in texts)
