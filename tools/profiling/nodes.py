"""How long each layer of an ONNX file takes, by ONNX Runtime's own profile of it.

The profile makes every node longer by what it writes, some microseconds, which is more than many
nodes take: as it stands it blames whatever has many small ones. So the same calls are timed without
it too, by turns, and what all nodes have in common beyond that is taken off each. A call that was
interrupted says nothing of a layer: of all calls the middle half counts, by how long they took.
"""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime as ort

from models.onnx_backend import session_options
from tools.profiling.graph import adopt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from tools.profiling.graph import Graph

N_BLOCKS = 4
MAX_EVENTS = 20_000
"""Of one profile; each is half a kilobyte of JSON."""

MAX_S = 3.0
"""How long the calls of one file may take together, about."""

LEAST_CALLS = 8
IN_BLOCKS = "_nchwc"
"""ONNX Runtime's mark of convolutions and pools that compute blocks of channels."""

KERNEL = "_kernel_time"


@dataclass(frozen=True, slots=True)
class LayerTimes:
    """Microseconds a call by layer, of the middle half of ``n_calls``.

    ``between_us`` is what they leave of a call: 0, unless nodes were faster than that together.
    ``plain_us`` and ``profiled_us`` are medians of a call without and with the profile,
    ``added_us`` is what the profile added to each node. ``rest_bytes`` is what the runtime's memory
    held before a call, ``peak_bytes`` the most in it; None where it does not tell.
    """

    us: dict[str, float]
    between_us: float
    plain_us: float
    profiled_us: float
    added_us: float
    n_calls: int
    rest_bytes: int | None
    peak_bytes: int | None


def time_layers(
    graph: Graph,
    plain: ort.InferenceSession,
    make_call: Callable[[ort.InferenceSession], Callable[[], object]],
    *,
    trace: Path | None = None,
) -> LayerTimes:
    """Return the times of a file's layers.

    Args:
        graph: the file's.
        plain: a session on it as the daemon has one.
        make_call: gives a function that calls a session once.
        trace: where to keep the runtime's own trace, for Chrome's or Perfetto's viewer.
    """
    with tempfile.TemporaryDirectory(prefix="eegscribe-profile-") as name:
        folder = Path(name)
        options = session_options()
        options.enable_profiling = True
        options.profile_file_prefix = str(folder / "runtime")
        options.optimized_model_filepath = str(folder / "optimized.onnx")
        profiled = ort.InferenceSession(graph.data, options, providers=plain.get_providers())
        calls = {"plain": make_call(plain), "profiled": make_call(profiled)}
        taken = _by_turns(calls, n_nodes=len(graph.layer_of_node))
        data = Path(profiled.end_profiling()).read_bytes()
        optimized = onnx.load(folder / "optimized.onnx", load_external_data=False)
    if trace is not None:
        trace.write_bytes(data)
    nodes = optimized.graph.node
    owners = adopt(nodes, [_owner(graph, node) for node in nodes])
    return _read(
        json.loads(data),
        {node.name: owner for node, owner in zip(nodes, owners, strict=True)},
        plain_us=float(np.median(taken["plain"])),
        n_calls=taken["profiled"].size,
    )


def _by_turns(
    calls: dict[str, Callable[[], object]], *, n_nodes: int
) -> dict[str, NDArray[np.float64]]:
    """Return microseconds of each call, A B B A; as many as are worth their time."""
    took = {name: [_timed(call) for _ in range(3)][-1] for name, call in calls.items()}
    most = min(MAX_EVENTS // max(1, n_nodes), int(1e6 * MAX_S / max(1.0, sum(took.values()))))
    each = max(LEAST_CALLS, most) // N_BLOCKS
    found: dict[str, list[float]] = {name: [] for name in calls}
    for block in range(N_BLOCKS):
        for name in calls if block % 2 == 0 else reversed(calls):
            found[name] += [_timed(calls[name]) for _ in range(each)]
    return {name: np.array(times) for name, times in found.items()}


def _timed(call: Callable[[], object]) -> float:
    began_ns = time.perf_counter_ns()
    call()
    return (time.perf_counter_ns() - began_ns) * 1e-3


def _owner(graph: Graph, node: Any) -> str | None:
    """Return the layer of a node that ONNX Runtime made of one or several of the file's.

    A fused node keeps the name of one of them before a stroke, and gives what the last of them did.
    One in blocks of channels is named after what the file's node gave, and gives that reordered.
    """
    name = node.name
    while name:
        if name in graph.layer_of_node:
            return graph.layer_of_node[name]
        name = name.rpartition("/")[0]
    gave = node.name.partition(IN_BLOCKS)[0]
    given = (graph.layer_of_tensor.get(x) for x in (gave, *node.output))
    return next((owner for owner in given if owner is not None), None)


def _read(
    events: Sequence[dict[str, Any]], owners: dict[str, str], *, plain_us: float, n_calls: int
) -> LayerTimes:
    """Return what a profile says; its first calls are not counted.

    Args:
        events: of the profile.
        owners: the layer of each node by its name.
        plain_us: of a call without profile.
        n_calls: how many of the last ones count.
    """
    runs = sorted((e["ts"], e["dur"]) for e in events if e["name"] == "model_run")[-n_calls:]
    lengths = np.array([length for _, length in runs], dtype=float)
    kernels = [e for e in events if e["cat"] == "Node" and e["name"].endswith(KERNEL)]
    starts = [start for start, _ in runs]
    places = np.searchsorted(starts, [e["ts"] for e in kernels], side="right") - 1
    column = {name: k for k, name in enumerate(owners)}
    times = np.zeros((len(runs), len(owners)))
    for event, place in zip(kernels, places, strict=True):
        node = column.get(event["name"].removesuffix(KERNEL))
        if place >= 0 and node is not None:
            times[place, node] += event["dur"]
    low, high = np.percentile(lengths, (25, 75))
    by_node = times[(lengths >= low) & (lengths <= high)].mean(axis=0)  # (n_nodes,)
    added_us = added_by_profile(by_node, plain_us)
    us: dict[str, float] = {}
    for owner, node_us in zip(owners.values(), by_node, strict=True):
        us[owner] = us.get(owner, 0.0) + max(0.0, float(node_us) - added_us)
    return LayerTimes(
        us=us,
        between_us=max(0.0, plain_us - sum(us.values())),
        plain_us=plain_us,
        profiled_us=float(np.median(lengths)),
        added_us=added_us,
        n_calls=len(runs),
        **_memory([event["args"] for event in kernels]),
    )


def added_by_profile(by_node: NDArray[np.float64], plain_us: float) -> float:
    """Return what, taken off every node, makes nodes add up to a call without the profile.

    0 where they do not exceed it. A node cannot take less than nothing.
    """
    ordered = np.sort(by_node)[::-1]  # the n longest nodes give their excess over the constant
    for n in range(len(ordered), 0, -1):
        added = (ordered[:n].sum() - plain_us) / n
        if added <= ordered[n - 1]:
            return max(0.0, float(added))
    return 0.0


def _memory(nodes: Sequence[dict[str, str]]) -> dict[str, int | None]:
    """Return what the runtime held before its first node, and the most that it did."""
    if not all("mem_in_use_peak" in node for node in nodes[:1]):
        return {"rest_bytes": None, "peak_bytes": None}
    rests = [int(node["mem_bytes_in_use"]) - int(node["mem_in_use_delta"]) for node in nodes[:1]]
    peaks = [int(node["mem_in_use_peak"]) for node in nodes if "mem_in_use_peak" in node]
    return {"rest_bytes": next(iter(rests), None), "peak_bytes": max(peaks, default=None)}
