"""What diagnostics keep, as JSON files: read back when a training goes on, written whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeVar, get_args

import msgspec

from pipeline.spec import Settings
from runtime.whole_file import write_whole

if TYPE_CHECKING:
    from pathlib import Path

T = TypeVar("T", bound=Settings)

Part = Literal["data", "forward", "backward", "optimiser", "rest", "diagnostics"]
"""Of a training step: what its time goes to."""


class AttentionLook(Settings, frozen=True, kw_only=True):
    """Of each place in the network ``(n_heads, n_asking, n_asked)``, and each head's entropy."""

    step: int
    maps: dict[str, tuple[tuple[tuple[float, ...], ...], ...]]
    entropy: dict[str, tuple[float, ...]]


class AttentionRecord(Settings, frozen=True, kw_only=True):
    """``attention.json``. Every ``stride``-th row and column is kept, by place.

    Columns are the frames of the window, at the places in ``looks_back`` how many frames back.
    """

    v: int = 1
    stride: dict[str, tuple[int, int]] = msgspec.field(default_factory=dict)
    looks_back: tuple[str, ...] = ()
    looks: tuple[AttentionLook, ...] = ()


CEILING, FLOOR = 1000.0, 1e-8
"""Relative gradients above and below which one speaks of exploding and vanishing."""

Kind = Literal["exploding", "vanishing"]
KINDS: tuple[Kind, ...] = get_args(Kind)


class Alarm(Settings, frozen=True, kw_only=True):
    """A rule that was broken first at ``step``, and by what: ``value`` against ``limit``."""

    kind: Kind
    part: str
    step: int
    rule: Literal["not finite", "ceiling", "surge", "floor", "share", "collapse"]
    value: float | None
    limit: float | None


class PartGradients(Settings, frozen=True, kw_only=True):
    """Of one part, a value a look: norm of its gradients, and their relative size."""

    n_parameters: int
    norm: tuple[float | None, ...]
    relative: tuple[float | None, ...]


class GradientRecord(Settings, frozen=True, kw_only=True):
    """``gradients.json``. What is not finite is null."""

    v: int = 1
    steps: tuple[int, ...] = ()
    parts: dict[str, PartGradients] = msgspec.field(default_factory=dict)
    alarms: tuple[Alarm, ...] = ()


class Row(Settings, frozen=True, kw_only=True):
    """Steps up to ``step``: mean milliseconds a step by part, examples a second, memory."""

    step: int
    n_steps: int
    ms: dict[Part, float]
    examples_per_s: float
    resident_mib: float
    peak_mib: float | None
    """The most during these steps; None where the system does not tell."""


class ResourceRecord(Settings, frozen=True, kw_only=True):
    """``resources.json``; ``tensors_mib`` of one step, by what they are."""

    v: int = 1
    device: str = "cpu"
    n_batch: int = 0
    tensors_mib: dict[str, float] = msgspec.field(default_factory=dict)
    rows: tuple[Row, ...] = ()
    batch_sizes: tuple[BatchSize, ...] = ()


class Histogram(Settings, frozen=True, kw_only=True):
    """Counts of weights in equal bins from ``low`` to ``high``; their root mean square.

    ``n_not_finite`` weights are in no bin.
    """

    step: int
    low: float
    high: float
    counts: tuple[int, ...]
    rms: float
    n_not_finite: int = 0


class WeightRecord(Settings, frozen=True, kw_only=True):
    """``weights.json``: of each part a histogram a look."""

    v: int = 1
    parts: dict[str, tuple[Histogram, ...]] = msgspec.field(default_factory=dict)


class BatchSize(Settings, frozen=True, kw_only=True):
    """One size: activations kept for the backward pass, and the time of a step.

    ``peak_mib`` is what CUDA held at most beyond what it held before; None on the processor, whose
    allocator gives nothing back.
    """

    n_batch: int
    activations_mib: float
    peak_mib: float | None
    ms: float


def read_record(path: Path, kind: type[T]) -> T | None:
    """Return the record at ``path``; None where there is none, or one of another form."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def write_record(path: Path, record: Settings) -> None:
    """Write ``record`` whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, msgspec.json.encode(record) + b"\n")
