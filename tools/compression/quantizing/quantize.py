"""A float bundle in, a quantized one out: which bits, which ranges, and what it cost.

    bundle ─▶ files ─▶ ranges of what layers hear, sensitivity to fewer bits ─▶ quantized files
           ─▶ each candidate written as a bundle ─▶ same texts, same hops ─▶ table, one bundle

Ranges and sensitivity are measured on what the network was trained on, errors on held-out texts.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from models.bundle import load_bundle, write_bundle
from models.weights import WEIGHTS, unpack
from pipeline.errors import BundleError, UsageError
from pipeline.spec import SlidingWindow
from tools.compression.eager import eager_hop
from tools.compression.ground import GoldenGround, recorded_ground
from tools.compression.pruning.asked import recipe_of
from tools.compression.pruning.lessons import lessons_of
from tools.compression.pruning.tuning import Tuner
from tools.compression.quantizing.bundle import quantized_bundle
from tools.compression.quantizing.files import check_float
from tools.compression.quantizing.quantizer import Quantizer
from tools.compression.quantizing.table import Line, QuantizeReport, mixed_said
from tools.compression.quantizing.training import rounded_files
from tools.compression.race import race
from tools.compression.sizes import model_bytes, packed_bytes
from tools.training import checkpoint
from tools.training.course import Course
from tools.training.tasks import is_of_simulated_person

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models.quantization.product import Bits
    from tools.compression.ground import Ground
    from tools.compression.pruning.lessons import Lessons
    from tools.compression.quantizing.files import Candidate
    from tools.compression.timing import Timed
    from tools.training.recipe import Recipe

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
        check_float(self.parent)  # before anything long begins
        has_weights = WEIGHTS in self.parent.files or asked.method == "qat"
        self.network: Any | None = unpack(self.parent) if has_weights else None
        self.folder = asked.out.with_name(f"{asked.out.name}.quantizing")
        self.recipe: Recipe | None = None
        self.lessons: Lessons | None = None
        self.ground = self._ground()
        self.quantizer = Quantizer(self.parent, self.ground.sessions)

    def _ground(self) -> Ground:
        """Return what the bundle is measured on."""
        asked, parent = self.asked, self.parent
        if not asked.is_simulated and not asked.paths:
            return GoldenGround(parent)
        is_text = isinstance(parent.manifest.pipeline.window, SlidingWindow)
        # Nobody trains on recordings what was trained on the simulated person; it can be judged.
        is_ours = is_of_simulated_person(parent.manifest.provenance.data)
        is_trained = asked.method == "qat"
        is_known = parent.manifest.provenance.recipe and is_text
        if not is_trained and (not is_known or (is_ours and asked.paths)):
            if not asked.paths:
                raise UsageError(
                    f"--simulate: {parent.manifest.name} was not trained on the simulated person,"
                    " wanted recordings"
                )
            return recorded_ground(asked.bundle, asked.paths, n_texts=asked.n_texts)
        self.recipe = recipe_of(parent, self.network)
        course = Course(self.recipe, asked.paths, self.folder, cache=asked.cache)
        self.lessons = lessons_of(asked.bundle, parent, self.network, course)
        return self.lessons.ground(n_texts=asked.n_texts)

    @property
    def problems(self) -> tuple[str, ...]:
        """A line for everything in the recordings that is left out."""
        return self.lessons.problems if self.lessons else ()

    def run(self) -> QuantizeReport:
        """Quantize, compare, and write the bundle; not where it is not faster, see the report."""
        candidates = self.candidates
        with tempfile.TemporaryDirectory() as folder:
            paths = {ORIGINAL: self.asked.bundle}
            for k, (name, one) in enumerate(candidates.items()):
                paths[name] = Path(folder) / f"{k}.eegb"
                write_bundle(paths[name], *self._bundle(one))
            exam = self.ground.exam()
            if exam is not None:
                exam.hear(paths)
            raced = race(
                paths,
                self.ground.windows(),
                n_blocks=self.asked.n_blocks,
                n_windows=self.asked.n_windows,
                others=self._others(),
            )
            sizes = {
                name: (model_bytes(bundle), packed_bytes(bundle))
                for name, bundle in ((name, load_bundle(path)) for name, path in paths.items())
            }
        lines = tuple(
            Line(
                name=name,
                size_bytes=sizes[name][0] if name in sizes else None,
                packed_bytes=sizes[name][1] if name in sizes else None,
                errors=exam.errors(name) if exam is not None and name in paths else None,
                speed=raced.speed(name, against=ORIGINAL),
            )
            for name in sorted(raced.names, key=lambda name: name != EAGER)
        )
        kept, last = list(candidates.items())[-1]
        notes = [*self.ground.notes, *(note for one in candidates.values() for note in one.notes)]
        notes += exam.doubts() if exam is not None else ()
        if kept == MIXED:
            beside = raced.speed(MIXED, against=lines[-2].name)
            notes.append(mixed_said(lines[-2], lines[-1], beside, most=self.asked.share))
        return QuantizeReport(
            bundle=self.asked.out.name,
            parent=self.parent.sha256,
            method=self.asked.method,
            data=self.ground.kind,
            unit=exam.unit if exam is not None else "characters",
            n_texts=exam.n_texts if exam is not None else 0,
            kept=kept,
            bits={layer: int(bits) for layer, bits in last.bits.items()},
            lines=lines,
            constant=exam.constant if exam is not None else None,
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
        bits = self.asked.bits
        match self.asked.method:
            case "dynamic":
                return {f"int{bits}, dynamic": self.quantizer.dynamic(bits)}
            case "static":
                return {f"int{bits}, static": self.quantizer.static(bits)}
            case "mixed":
                return self._mixed()
            case "qat":
                return self._trained()

    def _mixed(self) -> dict[str, Candidate]:
        eight = self.quantizer.static(8)
        return {"int8, static": eight, MIXED: self.quantizer.mixed(self.asked.share)}

    def _trained(self) -> dict[str, Candidate]:
        """Train with rounded weights; beside it the same bits without training."""
        asked, bits = self.asked, self.asked.bits
        if self.network is None or self.recipe is None or self.lessons is None:
            raise BundleError(
                f"{self.parent.manifest.name}: holds no {WEIGHTS} or no recipe, wanted a bundle"
                " made by train"
            )
        plain = {f"int{bits}, static": self.quantizer.static(bits)}
        tuner = Tuner(self.recipe, self.lessons, self.folder, teacher=self.network)
        training = self.recipe.training
        files, how = rounded_files(
            tuner,
            self.network,
            self.parent,
            bits=bits,
            name=TRAINING,
            n_steps=asked.n_steps or max(1, round(STEPS_SHARE * training.n_steps)),
            rate=asked.rate or RATE_SHARE * training.rate,
        )
        one = Quantizer(self.parent, self.ground.sessions, files=files).static(bits, how=how)
        return plain | {f"int{bits}, trained": one}

    def _others(self) -> dict[str, Timed]:
        """Return the network in torch, where its weights are there."""
        if self.network is None:
            return {}
        return {EAGER: eager_hop(self.network, self.parent.manifest.step)}

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
