"""A float bundle in, a quantized one out: which bits, which ranges, and what it cost.

    bundle ─▶ files ─▶ ranges of what layers hear, sensitivity to fewer bits ─▶ quantized files
           ─▶ each candidate written as a bundle ─▶ same texts, same hops ─▶ table, one bundle

Ranges and sensitivity are measured on what the network was trained on, errors on held-out texts.
"""

from __future__ import annotations

import copy
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from models.bundle import load_bundle, write_bundle
from models.quantization.mixture import CHOICES, Sensitivity, choose_bits, n_bytes
from models.quantization.probe import Probe, divergence
from models.weights import WEIGHTS, unpack
from pipeline.errors import BundleError
from pipeline.spec import SlidingWindow
from tools.compression.eager import EagerHop
from tools.compression.exam import race
from tools.compression.ground import GoldenGround, RecordedGround, TaskGround
from tools.compression.hop import N_STEPS
from tools.compression.pruning.asked import recipe_of, task_of
from tools.compression.pruning.prune import model_bytes
from tools.compression.pruning.table import packed_bytes
from tools.compression.pruning.tuning import Tuner
from tools.compression.quantizing.bundle import quantized_bundle
from tools.compression.quantizing.files import (
    Candidate,
    check_float,
    files_of,
    layer_sizes,
    quantized_files,
    uniform,
)
from tools.compression.quantizing.table import Line, QuantizeReport, mixed_said
from tools.compression.quantizing.training import round_while_training, stop_rounding
from tools.progress import progress
from tools.training import checkpoint
from tools.training.course import Course
from tools.training.heads import head_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models.quantization.product import Bits, Range
    from tools.compression.exam import Speed
    from tools.compression.ground import Ground
    from tools.compression.timing import Timed
    from tools.training.recipe import Recipe
    from tools.training.tasks import Task

Method = Literal["dynamic", "static", "qat", "mixed"]

ORIGINAL, EAGER, MIXED = "float32, runtime", "float32, torch", "mixed"

TRAINING = "rounded"

STEPS_SHARE = RATE_SHARE = 0.25
"""Of the recipe's steps and rate, for training with rounding."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for; ``paths`` of recordings. ``is_simulated``: the simulated person instead.

    ``bits`` of a uniform quantization. A mixture's weights are at most ``share`` of the file that 8
    bits throughout give. ``n_steps`` and ``rate`` are of training with rounding.
    """

    bundle: Path
    out: Path
    method: Method
    paths: tuple[Path, ...] = ()
    is_simulated: bool = False
    bits: Bits = 8
    share: float = 0.75
    n_steps: int | None = None
    rate: float | None = None
    n_texts: int | None = None
    n_blocks: int = 20
    n_windows: int = 200
    cache: Path | None = None


class Quantizing:
    """One quantization of one bundle.

    Raises:
        BundleError: the bundle holds no network of ours, was not trained here, or is quantized.
        UsageError: what is asked contradicts the bundle.
        RecordingError: the recordings cannot be used, or are not what the bundle hears.
    """

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.parent = load_bundle(asked.bundle)
        check_float(self.parent)
        has_weights = WEIGHTS in self.parent.files
        self.network: Any | None = unpack(self.parent) if has_weights else None
        self.folder = asked.out.with_name(f"{asked.out.name}.quantizing")
        self.recipe: Recipe | None = None
        self.task: Task | None = None
        self.ground = self._ground()
        self.files = files_of(self.parent)

    def _ground(self) -> Ground:
        """Return what the bundle is measured on."""
        asked, parent = self.asked, self.parent
        if not asked.is_simulated and not asked.paths:
            return GoldenGround(parent)
        is_text = isinstance(parent.manifest.pipeline.window, SlidingWindow)
        if not (parent.manifest.provenance.recipe and is_text):
            return RecordedGround(asked.bundle, asked.paths)
        self.recipe = recipe_of(parent, self.network)
        course = Course(self.recipe, asked.paths, self.folder, cache=asked.cache)
        self.task = task_of(parent, self.recipe, course, self.folder)
        return TaskGround(asked.bundle, parent, self.task, n_texts=asked.n_texts)

    @property
    def problems(self) -> tuple[str, ...]:
        """A line for everything in the recordings that is left out."""
        return self.task.problems if self.task else ()

    def run(self) -> QuantizeReport:
        """Quantize, compare, and write the bundle; not where it is not faster, see the report."""
        candidates = self.candidates
        with tempfile.TemporaryDirectory() as folder:
            paths = {ORIGINAL: self.asked.bundle}
            for k, (name, one) in enumerate(candidates.items()):
                paths[name] = Path(folder) / f"{k}.eegb"
                write_bundle(paths[name], *self._bundle(one))
            errors = self.ground.errors(paths)
            speeds = self._race(paths, self._others())
            quantized = {name: path for name, path in paths.items() if name != ORIGINAL}
            beside = self._race(quantized, {}) if MIXED in quantized else None
            sizes = {
                name: (model_bytes(bundle), packed_bytes(bundle))
                for name, bundle in ((name, load_bundle(path)) for name, path in paths.items())
            }
        lines = tuple(
            Line(
                name=name,
                size_bytes=sizes[name][0] if name in sizes else None,
                packed_bytes=sizes[name][1] if name in sizes else None,
                errors=errors.get(name),
                speed=speed,
            )
            for name, speed in sorted(speeds.items(), key=lambda one: one[0] != EAGER)
        )
        kept, last = list(candidates.items())[-1]
        notes = [*self.ground.notes, *(note for one in candidates.values() for note in one.notes)]
        if beside is not None:
            notes.append(mixed_said(lines[-2], lines[-1], beside[MIXED], most=self.asked.share))
        return QuantizeReport(
            bundle=self.asked.out.name,
            parent=self.parent.sha256,
            method=self.asked.method,
            data=self.ground.kind,
            unit=self.ground.unit,
            n_texts=self.ground.n_texts,
            kept=kept,
            bits={layer: int(bits) for layer, bits in last.bits.items()},
            lines=lines,
            notes=tuple(notes),
        )

    def write(self, report: QuantizeReport) -> str:
        """Write the bundle of the report's last line with its figures, and return its digest."""
        kept, latency_ms = self.candidates[report.kept], report.line(report.kept).latency_ms()
        return write_bundle(self.asked.out, *self._bundle(kept, latency_ms=latency_ms))

    def clean_up(self) -> None:
        """Remove the training that was kept on its way."""
        checkpoint.remove(self.folder / TRAINING)
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    @cached_property
    def candidates(self) -> dict[str, Candidate]:
        """What is compared, by name; the last one is what was asked for."""
        methods = {
            "dynamic": self._dynamic,
            "static": self._static,
            "mixed": self._mixed,
            "qat": self._trained,
        }
        return methods[self.asked.method]()

    def _dynamic(self) -> dict[str, Candidate]:
        bits = self.asked.bits
        how = f"{bits} bits, each row and frame by its own largest value"
        return {f"int{bits}, dynamic": uniform(self.files, bits, {}, how=how)}

    def _static(self) -> dict[str, Candidate]:
        bits, ranges = self.asked.bits, self._probe().ranges(self.files)
        how = f"{bits} bits, ranges measured on what it was trained on"
        return {f"int{bits}, static": uniform(self.files, bits, ranges, how=how)}

    def _mixed(self) -> dict[str, Candidate]:
        probe = self._probe()
        ranges = probe.ranges(self.files)
        eight = uniform(self.files, 8, ranges, how="8 bits")
        layers = self.sensitivities(probe, ranges)
        whole = sum(map(len, eight.files.values()))
        rest = whole - n_bytes(layers, dict.fromkeys(layers, 8))
        bits = choose_bits(layers, most_bytes=self.asked.share * whole - rest)
        files = quantized_files(self.files, bits, ranges)
        told = ", ".join(f"{name} {n}" for name, n in bits.items())
        one = Candidate(files, bits, f"bits by layer: {told}")
        one.notes = [f"bits: {told}"]
        one.notes += [
            f"  {name}: nats lost at 16, 8, 4 bits alone: "
            + ", ".join(f"{found.nats[n]:.2g}" for n in CHOICES)
            for name, found in layers.items()
        ]
        return {"int8, static": eight, MIXED: one}

    def _trained(self) -> dict[str, Candidate]:
        """Train with rounded weights; beside it the same bits without training."""
        asked, bits = self.asked, self.asked.bits
        if self.network is None or self.recipe is None or self.task is None:
            raise BundleError(
                f"{self.parent.manifest.name}: holds no {WEIGHTS} or no recipe, wanted a bundle"
                " made by train"
            )
        plain = self._static()
        tuner = Tuner(self.recipe, self.task, self.folder, teacher=self.network)
        network = copy.deepcopy(self.network)
        round_while_training(network, bits=bits)
        training = self.recipe.training
        n_steps = asked.n_steps or max(1, round(STEPS_SHARE * training.n_steps))
        rate = asked.rate or RATE_SHARE * training.rate
        trained = tuner.tune(network, name=TRAINING, n_steps=n_steps, rate=rate)
        stop_rounding(trained)
        exports = head_of(self.recipe.family).export(
            trained, self.parent.manifest.pipeline, self.task.example
        )
        files = {path: exports.files[path] for path in self.files}
        ranges = self._probe().ranges(files)
        how = f"{bits} bits, trained with rounded weights for {n_steps} steps"
        return plain | {f"int{bits}, trained": uniform(files, bits, ranges, how=how)}

    def sensitivities(self, probe: Probe, ranges: Mapping[str, Range]) -> dict[str, Sensitivity]:
        """Return what each layer loses alone at each number of bits, by ``path/name``."""
        exact = probe.log_probs(self.files)
        sizes = layer_sizes(self.files)
        found: dict[str, Sensitivity] = {}
        with progress("sensitivity", total=len(sizes) * len(CHOICES)) as bar:
            for name, n_weights in sizes.items():
                nats: dict[Bits, float] = {}
                for bits in CHOICES:
                    files = quantized_files(self.files, {name: bits}, ranges)
                    nats[bits] = divergence(exact, probe.log_probs(files))
                    bar(len(found) * len(CHOICES) + len(nats))
                found[name] = Sensitivity(n_weights, nats)
        return found

    def _probe(self) -> Probe:
        """Return a probe that hears what ranges are measured on."""
        manifest = self.parent.manifest
        return Probe(manifest.model, manifest.step, self.ground.sessions())

    def _race(self, paths: Mapping[str, Path], others: Mapping[str, Timed]) -> dict[str, Speed]:
        return race(
            paths,
            (),
            n_blocks=self.asked.n_blocks,
            n_windows=self.asked.n_windows,
            others=others,
            windows=self.ground.windows(),
        )

    def _others(self) -> dict[str, Timed]:
        """Return the network in torch, where its weights are there."""
        step = self.parent.manifest.step
        tokens = None if step is None else np.zeros((N_STEPS, step.n_rows), np.int64)
        return {} if self.network is None else {EAGER: EagerHop(self.network, tokens)}

    def _bundle(
        self, one: Candidate, *, latency_ms: Mapping[str, float] | None = None
    ) -> tuple[Any, dict[str, bytes]]:
        return quantized_bundle(
            self.asked.out.stem,
            self.parent,
            one.files,
            one.bits,
            how=one.how,
            latency_ms=latency_ms,
        )
