"""Bundles, and a recording if there is one, to the report of where their time and memory go."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from models.bundle import load_bundle
from models.golden import read_windows
from pipeline.errors import BundleError
from runtime.engine import open_engine
from tools.compression.hop import N_STEPS, Hop
from tools.compression.timing import percentiles_ms, ratio, time_blocks
from tools.console.progress import progress
from tools.console.version import versions
from tools.host.footprint import measure_footprint
from tools.profiling.accuracy import accuracy_of
from tools.profiling.bottleneck import find_bottleneck
from tools.profiling.hops import replay_hops
from tools.profiling.report import ModelProfile, Profile, Report, pipeline_profile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from models.bundle import Bundle
    from models.providers import ProviderChoice
    from runtime.engine import Engine
    from tools.profiling.hops import Hops

PACKAGES = ("eegscribe", "numpy", "onnxruntime-gpu", "onnxruntime", "torch")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asked for; ``seconds`` None for the whole recording."""

    bundles: tuple[Path, ...]
    recording: Path | None = None
    seconds: float | None = None
    providers: ProviderChoice = "auto"
    batches: tuple[int, ...] = (1, 8, 32)
    n_blocks: int = 20
    n_windows: int = 200
    folder: Path | None = None
    with_python: bool = False
    with_torch: bool = False


@dataclass(slots=True)
class Profiling:
    """One run of the verb; ``said`` is what the profilers that were switched on print.

    Raises:
        BundleError: a bundle cannot be opened, or has no network where torch was asked for.
    """

    asked: Asked
    said: dict[str, list[str]] = field(default_factory=dict)
    _names: tuple[str, ...] = ()
    _engines: list[Engine] = field(default_factory=list)
    _bundles: list[Bundle] = field(default_factory=list)

    def __post_init__(self) -> None:
        asked = self.asked
        self._engines = [open_engine(path, providers=asked.providers) for path in asked.bundles]
        for path, engine in zip(asked.bundles, self._engines, strict=True):
            bundle = load_bundle(path, pinned_sha256=engine.bundle.sha256)
            if asked.with_torch and bundle.manifest.network is None:
                raise BundleError(
                    f"{path}: holds no network to run in torch, wanted one with its"
                    " weights for --torch"
                )
            self._bundles.append(bundle)
        self._names = _distinct([path.stem for path in asked.bundles], self._engines)

    def run(self) -> Report:
        """Measure everything; write traces into the folder, if there is one.

        Raises:
            RecordingError: it cannot be read, or gives nothing to decode.
            BundleError: it does not fit a bundle.
        """
        hops = self._replay()  # first: nothing of the workbench weighs on its memory yet
        self._python(hops)
        n_steps = [_steps_a_hop(one) for one in hops]
        taken = self._race(n_steps)
        first = taken[self._names[0]]
        profiles = []
        with progress("taking apart", total=len(self._names)) as bar:
            for k, name in enumerate(self._names):
                profiles.append(self._profile(k, hops[k], n_steps[k], taken[name], first))
                bar(k + 1)
        return Report(
            created=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            versions=versions(PACKAGES),
            profiles=tuple(profiles),
        )

    def _replay(self) -> list[Hops | None]:
        recording = self.asked.recording
        if recording is None:
            return [None] * len(self._engines)
        found: list[Hops | None] = []
        with progress("replaying", total=100 * len(self._engines)) as bar:
            for k, engine in enumerate(self._engines):
                hops = replay_hops(
                    engine,
                    recording,
                    seconds=self.asked.seconds,
                    on_progress=_share_of(bar, k),
                )
                found.append(hops)
        return found

    def _python(self, plain: Sequence[Hops | None]) -> None:
        asked = self.asked
        if not asked.with_python or asked.recording is None or asked.folder is None:
            return
        from tools.profiling.switches import profile_python

        with progress("under cProfile", total=100 * len(self._engines)) as bar:
            for k, (name, hops) in enumerate(zip(self._names, plain, strict=True)):
                if hops is None:
                    continue
                self.said[f"{name}: Python functions by their own time (cProfile)"] = (
                    profile_python(
                        self._engines[k],
                        asked.recording,
                        asked.folder,
                        name,
                        plain=hops,
                        seconds=asked.seconds,
                        on_progress=_share_of(bar, k),
                    )
                )

    def _race(self, n_steps: Sequence[float]) -> dict[str, NDArray[np.float64]]:
        """Return milliseconds of the models' part of a hop by name, by turns."""
        calls = {
            name: _OnOwnWindows(
                Hop(engine.model(), engine.stepper(), n_steps=max(1, round(n))),
                read_windows(bundle),
            )
            for name, engine, bundle, n in zip(
                self._names, self._engines, self._bundles, n_steps, strict=True
            )
        }
        numbers = np.arange(self.asked.n_windows, dtype=np.float32).reshape(-1, 1, 1)
        with progress("timing by turns", total=self.asked.n_blocks * len(calls)) as bar:
            return time_blocks(
                calls,
                numbers,
                n_blocks=self.asked.n_blocks,
                n_windows=self.asked.n_windows,
                on_block=bar,
            )

    def _profile(
        self,
        k: int,
        hops: Hops | None,
        n_steps: float,
        taken: NDArray[np.float64],
        first: NDArray[np.float64],
    ) -> Profile:
        from tools.profiling.model import layer_times, network_of, profile_files
        from tools.profiling.throughput import measure_throughput

        asked, name = self.asked, self._names[k]
        engine, bundle, path = self._engines[k], self._bundles[k], asked.bundles[k]
        network = network_of(bundle)
        if network is not None:
            from tools.compression.pruning.prune import use_one_thread

            use_one_thread()
        manifest = bundle.manifest
        files = profile_files(
            engine, bundle, network, n_steps=n_steps, traces=self._traces(name, bundle)
        )
        if asked.with_torch and asked.folder is not None:
            from tools.profiling.switches import profile_torch

            title = f"{name}: operators in torch by their own time (torch profiler)"
            self.said[title] = profile_torch(bundle, network, asked.folder, name)
        against = ratio(taken, first)
        model = ModelProfile(
            family=manifest.network.family if manifest.network is not None else None,
            precision=manifest.model.precision,
            parameters=sum(row.parameters for file in files for row in file.layers),
            has_network=network is not None,
            size_bytes=sum(entry.size for entry in manifest.files.values()),
            files=files,
            footprint=measure_footprint(path),
            throughput=measure_throughput(engine, bundle, network, asked.batches),
            latency_ms=percentiles_ms(taken),
            ratio_p50=(against.p50, against.p50_high),
            ratio_p99=(against.p99, against.p99_high),
            accuracy=accuracy_of(manifest),
        )
        pipeline = None if hops is None else pipeline_profile(hops)
        return Profile(
            name=name,
            bundle=str(path),
            sha256=bundle.sha256,
            model=model,
            pipeline=pipeline,
            bottleneck=find_bottleneck(
                {} if pipeline is None else pipeline.typical_ms,
                layer_times(files),
                slowest_ms={} if pipeline is None else pipeline.slowest_ms,
            ),
        )

    def _traces(self, name: str, bundle: Bundle) -> dict[str, Path]:
        folder, manifest = self.asked.folder, bundle.manifest
        if folder is None:
            return {}
        paths = [manifest.model.path, *([manifest.step.path] if manifest.step else [])]
        return {path: folder / f"{name}.{path.removesuffix('.onnx')}.json" for path in paths}


class _OnOwnWindows:
    """A hop that takes the bundle's own windows, whichever number it is given."""

    def __init__(self, hop: Hop, windows: NDArray[np.float32]) -> None:
        self._hop, self._windows = hop, windows

    def run(self, window: NDArray[np.float32]) -> None:
        self._hop.run(self._windows[int(window[0, 0]) % len(self._windows)])


def _share_of(bar: Callable[[int], None], k: int) -> Callable[[float], None]:
    """Return what hears how much of the bundle of number ``k`` is done, of 1."""
    return lambda share: bar(int(100 * (k + share)))


def _steps_a_hop(hops: Hops | None) -> float:
    if hops is None or not hops.n_steps:
        return float(N_STEPS)
    return hops.n_steps / max(1, hops.n_decodes)


def _distinct(names: Sequence[str], engines: Sequence[Engine]) -> tuple[str, ...]:
    """Return names that tell bundles apart: with their digest where two have the same."""
    found: list[str] = []
    for name, engine in zip(names, engines, strict=True):
        told = name if names.count(name) == 1 else f"{name}-{engine.bundle.sha256[:8]}"
        found.append(told if told not in found else f"{told}-{len(found) + 1}")
    return tuple(found)
