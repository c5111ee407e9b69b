"""A profile as a person reads it: facts, layers, batches, stages, memory, and the bottleneck."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from tools.packaging.shown import size
from tools.profiling.report import NO_LAYER
from tools.profiling.stages import OF_A_HOP
from tools.profiling.throughput import RUNTIME

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tools.profiling.report import (
        FileProfile,
        ModelProfile,
        PipelineProfile,
        Profile,
        Report,
        StageRow,
    )
    from tools.profiling.throughput import Throughput

N_LAYERS = 12
"""Rows of the table; the JSON has all."""


def lines(report: Report) -> Iterator[str]:
    """Yield everything."""
    for profile in report.profiles:
        yield from _one(profile)
        yield ""
    if len(report.profiles) > 1:
        yield from _side_by_side(report.profiles)
        yield ""
    for profile in report.profiles:
        yield f"{profile.name}: {profile.bottleneck.sentence}"


def _one(profile: Profile) -> Iterator[str]:
    model = profile.model
    family = model.family or "no network in it"
    yield f"{profile.name} ({profile.sha256[:12]}; {family}, {model.precision})"
    yield from _facts(model)
    for file in model.files:
        yield ""
        yield from _layers(file, has_network=model.has_network)
    yield ""
    yield f"{'windows together':>20}{'ms':>10}{'windows/s':>12}"
    yield from _batches(model.throughput)
    if profile.pipeline is not None:
        yield ""
        yield from _stages(profile.pipeline)


def _facts(model: ModelProfile) -> Iterator[str]:
    of = "of the network" if model.has_network else "weights in the file"
    yield f"  parameters  {model.parameters:,} ({of}); bundle {size(model.size_bytes)}"
    per_hop = model.flops_a_hop
    yield f"  operations  {_flops(per_hop)} a hop (a multiplication and an addition are two)"
    for file in model.files:
        yield f"              {file.path}: {_flops(file.flops)} a call{_counted(file)}"
    p50, p99 = model.latency_ms["p50"], model.latency_ms["p99"]
    yield f"  latency     {p50:.3f} ms p50, {p99:.3f} ms p99: the model's part of a hop, one thread"
    held = model.footprint
    yield (
        f"  memory      {size(held.open_bytes)} in a process of its own,"
        f" {size(held.imports_bytes)} of it before the bundle"
        + (f"; {size(held.peak_bytes)} at the most" if held.peak_bytes is not None else "")
    )
    for file in model.files:
        yield f"              {file.path}: weights {size(file.weight_bytes)}{_arena(file)}"
    told = model.accuracy.told() if model.accuracy is not None else "nobody measured it"
    yield f"  reads       {told}"


def _counted(file: FileProfile) -> str:
    text = ""
    if file.flops_torch is not None:
        same = file.flops_torch == file.flops
        text = ", and torch counts " + ("the same" if same else _flops(file.flops_torch))
    if file.not_counted:
        text += f"; not counted: {', '.join(file.not_counted)}"
    return text


def _arena(file: FileProfile) -> str:
    if file.arena_rest_bytes is None or file.arena_peak_bytes is None:
        return ""
    more = max(0, file.arena_peak_bytes - file.arena_rest_bytes)
    return f", values in between {size(more)} at the most"


def _layers(file: FileProfile, *, has_network: bool) -> Iterator[str]:
    numbers = "parameters" if has_network else "weights"
    rows = sorted((row for row in file.layers if row.us > 0 or row.parameters), key=lambda r: -r.us)
    width = max([24, *(len(row.name) for row in rows[:N_LAYERS])]) + 2
    yield (
        f"{file.path + ', by layer':{width}}{numbers:>12}{'operations':>14}{'µs':>9}{'share':>8}"
        f"{'GFLOP/s':>9}"
    )
    for row in rows[:N_LAYERS]:
        rate = f"{row.flops / row.us / 1e3:9.1f}" if row.flops and row.us else f"{'':9}"
        done = _flops(row.flops) if row.flops else ""
        time = f"{row.us:9.1f}{row.share:8.1%}" if row.name != NO_LAYER else f"{'':17}"
        yield f"{row.name:{width}}{row.parameters:12,}{done:>14}{time}{rate}".rstrip()
    rest = rows[N_LAYERS:]
    if rest:
        yield (
            f"{f'{len(rest)} more':{width}}{sum(r.parameters for r in rest):12,}"
            f"{_flops(sum(r.flops for r in rest)):>14}{sum(r.us for r in rest):9.1f}"
            f"{sum(r.share for r in rest):8.1%}"
        )
    cost = file.profiled_us / file.plain_us - 1
    yield (
        f"  of {file.n_calls} calls; one takes {file.plain_us:.1f} µs, {cost:+.0%} under ONNX"
        f" Runtime's profile, whose {file.added_us:.1f} µs a node are taken off"
    )


def _batches(rows: Sequence[Throughput]) -> Iterator[str]:
    """Yield a row each; what cannot be done for the same reason stands in one."""
    for (how, note), same in groupby(rows, key=lambda row: (row.how, row.note)):
        several = list(same)
        if note:
            yield f"  {how} {', '.join(str(row.n_batch) for row in several)}: {note}"
            continue
        for row in several:
            what = f"{how}{row.n_batch:>5}"
            yield f"{what:>20}{row.ms:10.3f}{row.windows_per_s:12,.0f}"


def _stages(found: PipelineProfile) -> Iterator[str]:
    yield (
        f"{found.recording}: {found.n_hops} hops of {found.hop_ms:g} ms with a decode,"
        f" {found.recorded_s:.1f} s, {found.realtime_factor:.0f} times real time"
    )
    head = "".join(f"{name:>9}" for name in ("mean", "p50", "p95", "p99", "max"))
    yield f"{'ms a hop, by stage':20}{'share':>8}{head}"
    for stage in OF_A_HOP:
        yield _stage(stage, found.stages[stage])
    yield _stage("total", found.total)
    shares = ", ".join(f"{name} {s / found.elapsed_s:.1%}" for name, s in found.replay_s.items())
    yield f"  the whole replay took {found.elapsed_s:.2f} s: {shares}"
    held = [n_bytes for _, n_bytes in found.memory]
    at = next(sample for sample, n_bytes in found.memory if n_bytes == max(held))
    yield (
        f"  resident memory {size(held[0])} at first, {size(held[-1])} at the end, at the most"
        f" {size(max(held))} from sample {at} on (the recording in it)"
    )


def _stage(name: str, row: StageRow) -> str:
    values = (row.mean, row.p50, row.p95, row.p99, row.max)
    return f"  {name:18}{row.share:8.1%}" + "".join(f"{value:9.3f}" for value in values)


HEADER = (
    f"{'parameters':>12}{'operations':>14}{'bundle':>10}{'resident':>10}{'p50 ms':>9}{'p99 ms':>9}"
    f"{'time p50':>17}{'time p99':>17}{'windows/s':>12}"
)


def _side_by_side(profiles: Sequence[Profile]) -> Iterator[str]:
    width = max(len(profile.name) for profile in profiles) + 2
    yield f"{'side by side':{width}}{HEADER}"
    for profile in profiles:
        model = profile.model
        best = max(row.windows_per_s or 0.0 for row in model.throughput if row.how == RUNTIME)
        yield (
            f"{profile.name:{width}}{model.parameters:12,}{_flops(model.flops_a_hop):>14}"
            f"{size(model.size_bytes):>10}{size(model.footprint.open_bytes):>10}"
            f"{model.latency_ms['p50']:9.3f}{model.latency_ms['p99']:9.3f}"
            f"{_bound(model.ratio_p50):>17}{_bound(model.ratio_p99):>17}{best:12,.0f}"
        )
    yield "reads"
    for profile in profiles:
        told = profile.model.accuracy.told() if profile.model.accuracy else "not measured"
        yield f"{profile.name:{width}}{told}"
    yield (
        "  time is how long the model's part of a hop takes against the first one,"
        f" {profiles[0].name}, in the same blocks (95 % upper bound)"
    )
    yield "  windows/s are ONNX Runtime's, as many together as its file takes"


def _bound(found: tuple[float, float]) -> str:
    return f"{found[0]:.2f} (≤ {found[1]:.2f})"


def _flops(count: float) -> str:
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= unit:
            return f"{count / unit:.2f} {name}FLOP"
    return f"{count:.0f} FLOP"
