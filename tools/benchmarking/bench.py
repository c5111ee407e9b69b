"""Bundles on every backend that is asked for: opened, timed by turns, listened to, told.

bundles ─▶ material each ─▶ backends each, or why not ─▶ model alone, by turns with a yardstick
        ─▶ the same windows: best symbols ─▶ whole chain, by turns: text, stages ─▶ one result
"""

from __future__ import annotations

import shlex
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from models.bundle import load_bundle
from pipeline.spec import CtcDecoder, SelectionDecoder, SlidingWindow
from runtime.engine import open_engine
from tools.benchmarking.agreement import agreement, best_symbols
from tools.benchmarking.backends import (
    COMPILED,
    Given,
    Opened,
    names_for,
    open_backend,
    own_backend,
)
from tools.benchmarking.guard import Guard
from tools.benchmarking.listening import listen
from tools.benchmarking.material import golden_material, recorded_material, simulated_material
from tools.benchmarking.racing import YARDSTICK, Fed, against, race
from tools.benchmarking.results import Benched, Result, Row, blocks, spread
from tools.compression.hop import Hop
from tools.console.progress import progress
from tools.evaluation.edits import edits, sizes
from tools.host import machine
from tools.recordings.digests import digests, parts_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from models.bundle import Bundle
    from runtime.engine import Engine
    from tools.benchmarking.listening import Written
    from tools.benchmarking.material import Material
    from tools.benchmarking.racing import Key

EAGER = "torch-eager"


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for; ``paths`` of recordings. ``is_simulated``: the simulated person instead.

    ``max_drop`` is a share of 1; ``n_texts`` are the simulated person's.
    """

    bundles: tuple[Path, ...]
    backends: tuple[str, ...]
    paths: tuple[Path, ...] = ()
    is_simulated: bool = False
    n_texts: int = 40
    n_blocks: int = 20
    n_windows: int = 200
    max_drop: float = 0.005
    trials: frozenset[int] | None = None
    decoder: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Entry:
    """One bundle on the bench: its backends by name, each opened or a sentence why it is not."""

    name: str
    bundle: Bundle
    engine: Engine
    material: Material
    backends: dict[str, Opened | str] = field(default_factory=dict)
    opened_s: dict[str, float] = field(default_factory=dict)
    best: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    written: dict[str, Written] = field(default_factory=dict)

    @property
    def opened(self) -> dict[str, Opened]:
        """The backends that run here."""
        return {name: one for name, one in self.backends.items() if isinstance(one, Opened)}


def bench(asked: Asked) -> Result:
    """Return what was found.

    Raises:
        BundleError: a bundle cannot be opened, or a recording does not fit it.
        RecordingError: a recording cannot be used.
        UsageError: what is asked contradicts a bundle.
    """
    entries = _entries(asked)
    with tempfile.TemporaryDirectory(prefix="eegscribe-bench-") as folder:
        _open(entries, asked, Path(folder))
        taken, others = _race(entries, asked)
        for entry in entries:
            entry.best = {
                name: best_symbols(opened, entry.material.windows)
                for name, opened in entry.opened.items()
            }
        _listen(entries, asked)
    return Result(
        command=shlex.join(["eegscribe", *sys.argv[1:]]),
        machine=machine.describe(),
        others_busy=None if others is None else round(others, 2),
        n_blocks=asked.n_blocks,
        n_windows=asked.n_windows,
        max_drop=asked.max_drop,
        bundles=tuple(_benched(entry) for entry in entries),
        yardstick=blocks(taken[YARDSTICK]),
        rows=tuple(row for entry in entries for row in _rows(entry, taken, asked)),
    )


def _entries(asked: Asked) -> list[Entry]:
    """Return every bundle, opened and proven, with what it is benched on."""
    entries = []
    for name, path in zip(_names(asked.bundles), asked.bundles, strict=True):
        engine = open_engine(path, providers="cpu", decoder=asked.decoder)
        bundle = load_bundle(path, pinned_sha256=engine.bundle.sha256)
        if asked.is_simulated:
            material = simulated_material(engine, n_texts=asked.n_texts)
        elif asked.paths:
            material = recorded_material(engine, asked.paths, trials=asked.trials)
        else:
            material = golden_material(engine, bundle)
        entries.append(Entry(name, bundle, engine, material))
    return entries


def _names(paths: Sequence[Path]) -> list[str]:
    """Return a name for each bundle that no other has."""
    stems, found = Counter(path.stem for path in paths), Counter[str]()
    names = []
    for path in paths:
        name = path.stem if stems[path.stem] == 1 else f"{path.resolve().parent.name}/{path.stem}"
        found[name] += 1
        names.append(name if found[name] == 1 else f"{name} ({found[name]})")
    return names


def _open(entries: Sequence[Entry], asked: Asked, folder: Path) -> None:
    """Open every backend, each with a folder of its own."""
    wanted = [(e, name) for e in entries for name in names_for(e.bundle, asked.backends)]
    with progress("opening", total=len(wanted)) as bar:
        for number, (entry, name) in enumerate(wanted, start=1):
            own = folder / f"{number}"
            own.mkdir()
            began_s = time.perf_counter()
            given = Given(entry.bundle, entry.material, own)
            entry.backends[name] = open_backend(name, given)
            entry.opened_s[name] = time.perf_counter() - began_s
            bar(number)


def _race(
    entries: Sequence[Entry], asked: Asked
) -> tuple[dict[Key, NDArray[np.float64]], float | None]:
    runners: dict[Key, Fed] = {}
    for entry in entries:
        for name, opened in entry.opened.items():
            opened.model.reset()
            hop = Hop(opened.model, opened.stepper)
            runners[entry.name, name] = Fed(hop, entry.material.windows)
    with progress("timing", total=asked.n_blocks * (1 + len(runners))) as bar:
        return race(runners, n_blocks=asked.n_blocks, n_windows=asked.n_windows, on_block=bar)


def _listen(entries: Sequence[Entry], asked: Asked) -> None:
    total = sum(len(entry.opened) * len(entry.material.reels) for entry in entries)
    n_done = 0
    with progress("listening", total=total) as bar:

        def on_done() -> None:
            nonlocal n_done
            n_done += 1
            bar(n_done)

        for entry in entries:
            entry.written = listen(
                entry.engine,
                entry.opened,
                entry.material.reels,
                trials=asked.trials,
                on_done=on_done,
            )


def _benched(entry: Entry) -> Benched:
    material, spec = entry.material, entry.engine.spec
    window = spec.window
    names = {CtcDecoder: "ctc", SelectionDecoder: "selection"}
    references = material.references
    recordings = {}
    if material.kind == "recorded":
        recordings = digests(part for reel in material.reels for part in parts_of(reel.path))
    return Benched(
        name=entry.name,
        sha256=entry.bundle.sha256,
        own=own_backend(entry.bundle),
        head=names.get(type(spec.decoder), "seq2seq"),
        rate_hz=spec.rate_hz,
        call_s=window.hop_samples / spec.rate_hz if isinstance(window, SlidingWindow) else None,
        data="simulated" if any(r.is_simulated for r in material.reels) else material.kind,
        recordings=recordings,
        unit=material.unit,
        unit_sizes=tuple(sizes(references, material.unit).tolist()) if references else (),
        constant_error=material.constant_error,
        notes=material.notes,
    )


def _rows(entry: Entry, taken: dict[Key, NDArray[np.float64]], asked: Asked) -> list[Row]:
    """Return the bundle's rows, itself first."""
    own = own_backend(entry.bundle)
    if own not in entry.opened:
        raise ValueError(f"{own}: must run, as the bundle was proven on it: {entry.backends[own]}")
    material, guard, wrong = entry.material, None, {}
    references = material.references
    if references:
        counted, unit = sizes(references, material.unit), material.unit
        guard = Guard(
            references,
            material.people,
            counted,
            unit=unit,
            max_drop=asked.max_drop,
            constant_error=material.constant_error,
        )
        wrong = {name: edits(references, one.said, unit) for name, one in entry.written.items()}
    rows = []
    for name, backend in entry.backends.items():
        if isinstance(backend, str):
            rows.append(Row(bundle=entry.name, backend=name, missing=backend))
            continue
        times, written = taken[entry.name, name], entry.written[name]
        eager = taken.get((entry.name, EAGER)) if name.startswith(COMPILED) else None
        rows.append(
            Row(
                bundle=entry.name,
                backend=name,
                notes=backend.notes,
                opened_s=round(entry.opened_s[name], 3),
                size_bytes=backend.size_bytes,
                call_ms=spread(times),
                calls_per_s=float(1e3 / times.mean()),
                blocks=blocks(times),
                against_own=None if name == own else against(times, taken[entry.name, own]),
                against_eager=None if eager is None else against(times, eager),
                stage_ms=written.stage_ms if references else {},
                realtime=written.realtime if references else None,
                agreement=agreement(entry.best[name], entry.best[own]),
                accuracy=guard.judge(wrong[name], wrong[own]) if guard else None,
            )
        )
    return rows
