"""What ``manifest.json`` says: the contract of a bundle, checked when it is read.

The manifest names every other file with its digest and size, so its own digest identifies the
whole bundle. Unknown keys and wrong types are refused with their path.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import msgspec
import numpy as np

from models.tolerances import Precision, check_tolerance
from pipeline.decoder_ranges import check_decoder, check_overlap, check_search
from pipeline.design_band import is_stable
from pipeline.errors import BundleError
from pipeline.filters import reference_matrix
from pipeline.plain_text import check_plain
from pipeline.spec import (
    CtcDecoder,
    EventWindow,
    PipelineSpec,
    SelectionDecoder,
    Seq2SeqDecoder,
    Settings,
    SlidingWindow,
)

FORMAT_VERSION = 1

Shape = tuple[int, ...]


class FileEntry(Settings, frozen=True, kw_only=True):
    """Digest and size of one file of the bundle."""

    sha256: str
    size: int


class Tensor(Settings, frozen=True, kw_only=True):
    """One input or output of the model."""

    name: str
    shape: Shape
    dtype: Literal["float32", "float16", "int64"] = "float32"


class StatePair(Settings, frozen=True, kw_only=True):
    """A state: what ``output`` gives goes into ``input`` at the next call; zeros at first."""

    input: str
    output: str
    shape: Shape


class ModelFile(Settings, frozen=True, kw_only=True):
    """One ONNX file and how it is called: always with exactly these shapes."""

    path: str = "model.onnx"
    input: Tensor
    output: Tensor
    state: tuple[StatePair, ...] = ()
    precision: Precision = "float32"
    golden_tolerance: float = 1e-4
    """Largest difference from the golden outputs; below 16 bit the share of other best symbols."""

    def __post_init__(self) -> None:
        check_tolerance(self.golden_tolerance, self.precision)


class StepFile(Settings, frozen=True, kw_only=True):
    """The step decoder of a ``seq2seq`` head: one symbol a call, for ``n_rows`` hypotheses at once.

    Inputs are ``tokens`` (n_rows,) int64, ``position`` (1,) int64, ``memory`` as the model's output
    gives it, and the caches, zeros at position 0, rows on their first axis. ``position`` runs from
    0 to ``max_symbols - 1``: a hypothesis has at most ``max_symbols`` symbols, its end included.
    ``output`` is (n_rows, n_symbols) log-probabilities of what follows, ``attention``
    (n_rows, n_frames), each row summing to 1.
    """

    path: str = "step.onnx"
    n_rows: int
    max_symbols: int
    output: Tensor
    attention: Tensor
    cache: tuple[StatePair, ...]
    precision: Precision = "float32"
    golden_tolerance: float = 1e-4

    def __post_init__(self) -> None:
        check_tolerance(self.golden_tolerance, self.precision)


class NetworkOrigin(Settings, frozen=True, kw_only=True):
    """The network that was exported: what ``weights.safetensors`` is read back into."""

    family: str
    settings: dict[str, Any]


class ConfidenceFit(Settings, frozen=True, kw_only=True):
    """Monotone piecewise-linear map from raw confidence to the probability of being exactly right.

    Fitted on ``n`` held-out pieces; both axes ascending and of equal length.
    """

    raw: tuple[float, ...]
    probability: tuple[float, ...]
    n: int

    def apply(self, raw: float) -> float:
        """Return the probability for ``raw``, constant beyond the ends."""
        return float(np.interp(raw, self.raw, self.probability))


class Provenance(Settings, frozen=True, kw_only=True):
    """Where the bundle came from."""

    command: str
    parent: str | None = None
    versions: dict[str, str] = msgspec.field(default_factory=dict)
    data: dict[str, str] = msgspec.field(default_factory=dict)
    """Name of each training recording or text to its SHA-256."""
    texts: tuple[str, ...] = ()
    """Digests of single texts in those recordings that were learnt from."""
    recipe: dict[str, Any] = msgspec.field(default_factory=dict)
    """What a network was trained by, every value of it."""


class Evaluation(Settings, frozen=True, kw_only=True):
    """Scores with intervals, and the evaluator's verdict."""

    verdict: Literal["not evaluated", "reads EEG", "not shown", "fooled"] = "not evaluated"
    scores: dict[str, Any] = msgspec.field(default_factory=dict)


class Fallback(Settings, frozen=True, kw_only=True):
    """The bundle to go back to where an optimised one disappoints: the one it was made of."""

    name: str
    sha256: str


class Optimisation(Settings, frozen=True, kw_only=True):
    """What was done to make the model small and fast; ``steps`` are those that were kept."""

    sparsity: float = 0.0
    precision: Precision = "float32"
    size_bytes: int | None = None
    latency_ms: dict[str, float] = msgspec.field(default_factory=dict)
    steps: tuple[str, ...] = ()
    fallback: Fallback | None = None


class Manifest(Settings, frozen=True, kw_only=True):
    """The whole of ``manifest.json``."""

    format_version: int
    name: str
    created: str
    pipeline: PipelineSpec
    model: ModelFile
    step: StepFile | None = None
    files: dict[str, FileEntry]
    network: NetworkOrigin | None = None
    confidence: ConfidenceFit | None = None
    provenance: Provenance
    evaluation: Evaluation = Evaluation()
    optimisation: Optimisation = Optimisation()


def parse_manifest(data: bytes, *, where: str) -> Manifest:
    """Read and check the bytes of a ``manifest.json``.

    Raises:
        BundleError: not JSON, a newer format, an unknown key, a wrong type, or values that
            contradict each other.
    """
    try:
        raw = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BundleError(f"{where}: not JSON ({error})") from None
    version = raw.get("format_version") if isinstance(raw, dict) else None
    if type(version) is not int:
        raise BundleError(f"{where}: format_version: got {version!r}, wanted an integer")
    if version > FORMAT_VERSION:
        raise BundleError(
            f"{where}: format_version {version} needs a newer eegscribe,"
            f" this one reads up to {FORMAT_VERSION}"
        )
    if version < 1:
        raise BundleError(f"{where}: format_version: got {version}, wanted 1 to {FORMAT_VERSION}")
    try:
        check_plain(raw)
        manifest = msgspec.convert(raw, Manifest)
        _check(manifest)
    except (msgspec.ValidationError, ValueError, RecursionError) as error:
        raise BundleError(f"{where}: {error}") from None
    return manifest


def _check(manifest: Manifest) -> None:
    """Refuse values that are of the right type and still make no sense.

    Raises:
        ValueError: the first contradiction found.
    """
    spec = manifest.pipeline
    _check_signal(spec)
    _check_vocabulary(spec)
    check_decoder(spec.decoder)
    n_inputs = len(spec.bands) * len(spec.channels)
    n_samples = _window_samples(spec)
    want = (1, n_samples, n_inputs)
    if manifest.model.input.shape != want:
        raise ValueError(
            f"model.input.shape: got {manifest.model.input.shape}, wanted {want} by the pipeline"
        )
    _check_output(manifest)
    _check_pairs("model.state", manifest.model.state)
    _check_step(manifest)
    if manifest.model.path not in manifest.files:
        raise ValueError(f"model.path: got {manifest.model.path!r}, wanted one of the listed files")
    fit = manifest.confidence
    if fit is not None and not (
        len(fit.raw) == len(fit.probability) > 0
        and list(fit.raw) == sorted(fit.raw)
        and list(fit.probability) == sorted(fit.probability)
        and all(0 <= p <= 1 for p in fit.probability)
        and fit.n > 0
    ):
        raise ValueError("confidence: wanted ascending raw and probability of equal length, n > 0")


def _check_signal(spec: PipelineSpec) -> None:
    if not (math.isfinite(spec.rate_hz) and 0 < spec.rate_hz <= 100_000):
        raise ValueError(
            f"pipeline.rate_hz: got {spec.rate_hz}, wanted more than 0 and at most 100000"
        )
    if not 0 < len(spec.channels) <= 4096 or len(set(spec.channels)) != len(spec.channels):
        raise ValueError("pipeline.channels: wanted 1 to 4096 distinct names")
    if not 0 < len(spec.bands) <= 32:
        raise ValueError(f"pipeline.bands: got {len(spec.bands)}, wanted 1 to 32")
    for k, band in enumerate(spec.bands):
        if not band.sos or not is_stable(band):
            raise ValueError(
                f"pipeline.bands[{k}].sos: wanted stable second-order sections with a0 = 1"
            )
    reference_matrix(spec.reference, spec.channels)
    normalise = spec.normalise
    numbers = (normalise.time_constant_s, normalise.initial_scale_uv, normalise.floor_uv)
    if not all(math.isfinite(v) and v > 0 for v in numbers):
        raise ValueError(
            "pipeline.normalise: wanted finite positive time constant, initial scale and floor"
        )
    if normalise.kind == "fixed":
        n_inputs = len(spec.bands) * len(spec.channels)
        if not len(normalise.mean_uv) == len(normalise.scale_uv) == n_inputs:
            raise ValueError(
                f"pipeline.normalise: wanted {n_inputs} means and scales (bands times channels)"
            )
        if not all(math.isfinite(v) and v > 0 for v in normalise.scale_uv):
            raise ValueError("pipeline.normalise.scale_uv: wanted finite positive numbers")


def _check_vocabulary(spec: PipelineSpec) -> None:
    symbols = spec.vocabulary
    if not 0 < len(symbols) <= 65_536 or len(set(symbols)) != len(symbols):
        raise ValueError("pipeline.vocabulary: wanted 1 to 65536 distinct symbols")
    if isinstance(spec.decoder, CtcDecoder | Seq2SeqDecoder):
        if symbols[0] != "" or len(symbols) < 2:
            first = "blank" if isinstance(spec.decoder, CtcDecoder) else "end"
            raise ValueError(f"pipeline.vocabulary[0]: got {symbols[0]!r}, wanted the {first} ''")
    elif "" in symbols:
        raise ValueError("pipeline.vocabulary: got '', wanted symbols of one character or more")
    if isinstance(spec.decoder, SelectionDecoder) and spec.decoder.scores == "stimulus":
        flashed = [s for group in spec.groups.values() for s in group]
        unknown = sorted(set(flashed) ^ set(symbols))
        if unknown:
            raise ValueError(
                f"pipeline.groups: {unknown[:5]} not both in a group and in the vocabulary"
            )


def _window_samples(spec: PipelineSpec) -> int:
    window = spec.window
    if isinstance(window, SlidingWindow):
        if isinstance(spec.decoder, SelectionDecoder):
            raise ValueError("pipeline.window: got sliding, wanted event for a selection head")
        if not 0 < window.hop_samples <= window.window_samples <= 1_000_000:
            raise ValueError("pipeline.window: wanted 0 < hop_samples <= window_samples <= 1000000")
        if not 0 <= window.lookahead_samples <= window.window_samples - window.hop_samples:
            raise ValueError(
                "pipeline.window.lookahead_samples: wanted 0 to window_samples - hop_samples"
            )
        return window.window_samples
    return _event_samples(spec, window)


def _event_samples(spec: PipelineSpec, window: EventWindow) -> int:
    if not isinstance(spec.decoder, SelectionDecoder):
        head = "ctc" if isinstance(spec.decoder, CtcDecoder) else "seq2seq"
        raise ValueError(f"pipeline.window: got event, wanted sliding for a {head} head")
    checkpoints = window.checkpoints_samples
    if not 0 < window.length_samples <= 1_000_000 or window.offset_samples < 0:
        raise ValueError(
            "pipeline.window: wanted 0 < length_samples <= 1000000 and offset_samples >= 0"
        )
    if list(checkpoints) != sorted(set(checkpoints)) or not checkpoints or checkpoints[0] < 1:
        raise ValueError("pipeline.window.checkpoints_samples: wanted ascending positive lengths")
    if checkpoints[-1] != window.length_samples:
        raise ValueError("pipeline.window.checkpoints_samples: the last must be length_samples")
    return window.length_samples


def _check_output(manifest: Manifest) -> None:
    spec, shape = manifest.pipeline, manifest.model.output.shape
    if len(shape) != 3 or shape[0] != 1:
        raise ValueError(f"model.output.shape: got {shape}, wanted (1, rows, columns)")
    if isinstance(spec.window, SlidingWindow):
        _check_frames(manifest, spec.window)
        return
    n_columns = 1 if spec.groups else len(spec.vocabulary)
    want = (1, len(spec.window.checkpoints_samples), n_columns)
    if shape != want:
        raise ValueError(f"model.output.shape: got {shape}, wanted {want} by the pipeline")


def _check_frames(manifest: Manifest, window: SlidingWindow) -> None:
    _, n_frames, n_columns = manifest.model.output.shape
    n_symbols = len(manifest.pipeline.vocabulary)
    decoder = manifest.pipeline.decoder
    if n_frames < 1 or window.window_samples % n_frames or n_columns < 1:
        raise ValueError(
            f"model.output.shape: got {manifest.model.output.shape}, wanted frames that divide"
            f" {window.window_samples} samples"
        )
    if isinstance(decoder, Seq2SeqDecoder):
        if manifest.model.state:
            raise ValueError("model.state: wanted none for a seq2seq head, whose windows overlap")
        if window.lookahead_samples or window.hop_samples == window.window_samples:
            raise ValueError(
                "pipeline.window: wanted hop_samples < window_samples and no lookahead_samples"
                " for a seq2seq head"
            )
        check_overlap(decoder, window, rate_hz=manifest.pipeline.rate_hz)
        return
    if n_columns != n_symbols:
        raise ValueError(
            f"model.output.shape: got {manifest.model.output.shape}, wanted {n_symbols} symbols"
        )
    frame_samples = window.window_samples // n_frames
    if window.hop_samples % frame_samples or window.lookahead_samples % frame_samples:
        raise ValueError(
            f"pipeline.window: hop and lookahead must be whole frames of {frame_samples} samples"
        )
    if manifest.model.state and window.hop_samples != window.window_samples:
        raise ValueError(
            "pipeline.window: a stateful model sees only new samples, wanted hop == window"
        )


def _check_pairs(where: str, pairs: tuple[StatePair, ...]) -> None:
    for pair in pairs:
        if not pair.shape or not all(0 < n <= 1 << 20 for n in pair.shape):
            raise ValueError(f"{where} {pair.input}: got shape {pair.shape}, wanted positive sizes")


def _check_step(manifest: Manifest) -> None:
    """Refuse a step decoder that does not fit the encoder, the vocabulary or the search."""
    step, decoder = manifest.step, manifest.pipeline.decoder
    if not isinstance(decoder, Seq2SeqDecoder):
        if step is not None:
            raise ValueError("step: got a step decoder, wanted none but for a seq2seq head")
        return
    if step is None:
        raise ValueError("step: missing, wanted the step decoder of a seq2seq head")
    if not 1 <= step.n_rows <= 4096 or not 2 <= step.max_symbols <= 65_536:
        raise ValueError("step: wanted n_rows of 1 to 4096 and max_symbols of 2 to 65536")
    shapes = {
        "output": (step.output.shape, (step.n_rows, len(manifest.pipeline.vocabulary))),
        "attention": (step.attention.shape, (step.n_rows, manifest.model.output.shape[1])),
    }
    for name, (got, want) in shapes.items():
        if got != want:
            raise ValueError(f"step.{name}.shape: got {got}, wanted {want}")
    _check_pairs("step.cache", step.cache)
    for pair in step.cache:
        if pair.shape[0] != step.n_rows:
            raise ValueError(
                f"step.cache {pair.input}: got shape {pair.shape}, wanted {step.n_rows} rows first"
            )
    check_search(decoder, n_rows=step.n_rows, max_symbols=step.max_symbols)
    if step.path not in manifest.files or step.path == manifest.model.path:
        raise ValueError(f"step.path: got {step.path!r}, wanted a listed file of its own")
