"""All that a profile found, as it stands in ``profile.json``; times are of one thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from pipeline.spec import Settings
from tools.host.footprint import Footprint
from tools.profiling.accuracy import Accuracy
from tools.profiling.bottleneck import Bottleneck
from tools.profiling.stages import OF_A_HOP
from tools.profiling.throughput import Throughput

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tools.profiling.hops import Hops

NO_LAYER = "in no layer of the file"
"""Parameters that were folded into others, or that this file does without."""

BETWEEN = "between layers"


class LayerRow(Settings, frozen=True, kw_only=True):
    """A layer: what it computes in a call, and how long; ``share`` is of the call."""

    name: str
    operators: tuple[str, ...]
    parameters: int
    flops: int
    us: float
    share: float


class FileProfile(Settings, frozen=True, kw_only=True):
    """One ONNX file; see :class:`tools.profiling.nodes.LayerTimes` for its times and memory.

    ``flops`` are counted on the file's own graph, ``flops_torch`` by torch on the network, None
    where the bundle holds none. ``not_counted`` are operators that compute products nobody counts.
    """

    path: str
    size_bytes: int
    weight_bytes: int
    calls_per_hop: float
    flops: int
    flops_torch: int | None
    not_counted: tuple[str, ...]
    plain_us: float
    profiled_us: float
    added_us: float
    n_calls: int
    arena_rest_bytes: int | None
    arena_peak_bytes: int | None
    layers: tuple[LayerRow, ...]


class ModelProfile(Settings, frozen=True, kw_only=True):
    """A bundle's model; ``parameters`` are the network's, or the file's where it holds none.

    ``latency_ms`` is of the model's part of a hop, by turns with the other bundles'; the ratios are
    how long that is against the first one's, with one-sided 95 % bounds above.
    """

    family: str | None
    precision: str
    parameters: int
    has_network: bool
    size_bytes: int
    files: tuple[FileProfile, ...]
    footprint: Footprint
    throughput: tuple[Throughput, ...]
    latency_ms: dict[str, float]
    ratio_p50: tuple[float, float]
    ratio_p99: tuple[float, float]
    accuracy: Accuracy | None

    @property
    def flops_a_hop(self) -> float:
        """Operations of all calls that a hop makes."""
        return sum(file.flops * file.calls_per_hop for file in self.files)


class StageRow(Settings, frozen=True, kw_only=True):
    """Milliseconds a hop; ``share`` is of the mean hop."""

    share: float
    mean: float
    p50: float
    p95: float
    p99: float
    max: float


class PipelineProfile(Settings, frozen=True, kw_only=True):
    """A recording through the chain.

    ``stages`` are of the hops in which something was decoded, ``total`` of their sums;
    ``typical_ms`` is the mean of their middle half, which no interruption made longer, and
    ``slowest_ms`` that of the longest 1 %. ``replay_s``
    are seconds of the whole replay by stage, ``elapsed_s`` the same by a clock of its own.
    ``memory`` are pairs of a sample index and the process's resident bytes.
    """

    recording: str
    recorded_s: float
    hop_ms: float
    n_hops: int
    n_decodes: int
    stages: dict[str, StageRow]
    total: StageRow
    typical_ms: dict[str, float]
    slowest_ms: dict[str, float]
    replay_s: dict[str, float]
    elapsed_s: float
    realtime_factor: float
    memory: tuple[tuple[int, int], ...]


class Profile(Settings, frozen=True, kw_only=True):
    """All of one bundle."""

    name: str
    bundle: str
    sha256: str
    model: ModelProfile
    pipeline: PipelineProfile | None
    bottleneck: Bottleneck


class Report(Settings, frozen=True, kw_only=True):
    """Several bundles on one machine, with one recording or none."""

    created: str
    versions: dict[str, str]
    profiles: tuple[Profile, ...]
    files: tuple[str, ...] = ()


def encode(report: Report) -> bytes:
    """Return the report as JSON."""
    return msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n"


def pipeline_profile(hops: Hops) -> PipelineProfile:
    """Return the figures of a replay."""
    ms = hops.ns / 1e6  # (n_hops, n_stages)
    whole = ms.sum(axis=1)
    mean = float(whole.mean())
    elapsed_s = hops.total_ns / 1e9
    return PipelineProfile(
        recording=hops.recording,
        recorded_s=hops.n_samples / hops.rate_hz,
        hop_ms=1e3 * hops.chunk_samples / hops.rate_hz,
        n_hops=len(ms),
        n_decodes=hops.n_decodes,
        stages={stage: _row(ms[:, k], mean) for k, stage in enumerate(OF_A_HOP)},
        total=_row(whole, mean),
        typical_ms=_mean_between(ms, 25, 75),
        slowest_ms=_mean_between(ms, 99, 100),
        replay_s={stage: ns / 1e9 for stage, ns in hops.spent_ns.items()},
        elapsed_s=elapsed_s,
        realtime_factor=hops.n_samples / hops.rate_hz / elapsed_s,
        memory=hops.memory,
    )


def _mean_between(ms: NDArray[np.float64], low: float, high: float) -> dict[str, float]:
    """Return the stages' means over hops (n_hops, n_stages) whose sums lie between percentiles."""
    whole = ms.sum(axis=1)
    ends = np.percentile(whole, (low, high))
    within = ms[(whole >= ends[0]) & (whole <= ends[1])].mean(axis=0)
    return dict(zip(OF_A_HOP, within.tolist(), strict=True))


def _row(ms: NDArray[np.float64], whole: float) -> StageRow:
    p50, p95, p99 = (float(value) for value in np.percentile(ms, (50, 95, 99)))
    mean = float(ms.mean())
    return StageRow(share=mean / whole, mean=mean, p50=p50, p95=p95, p99=p99, max=float(ms.max()))
