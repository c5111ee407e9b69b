"""How long each layer of an ONNX file takes, by ONNX Runtime's own profile of it.

The profile counts whole microseconds, node by node, and makes calls longer by what it writes. So
the same calls are timed without it too, by turns, and what it cost is told. A call that was
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
KERNEL = "_kernel_time"


@dataclass(frozen=True, slots=True)
class LayerTimes:
    """Microseconds a call by layer, of the middle half of ``n_calls``.

    ``between_us`` passed inside the runtime and in no node: its own steps, and writing the profile.
    ``plain_us`` and ``profiled_us`` are medians of a call without and with the profile.
    ``rest_bytes`` is what the runtime's memory held before a call, ``peak_bytes`` the most in it;
    None where it does not tell.
    """

    us: dict[str, float]
    between_us: float
    plain_us: float
    profiled_us: float
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
    """
    name = node.name
    while name:
        if name in graph.layer_of_node:
            return graph.layer_of_node[name]
        name = name.rpartition("/")[0]
    given = (graph.layer_of_tensor.get(x) for x in node.output)
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
    starts = np.array([start for start, _ in runs])
    lengths = np.array([length for _, length in runs], dtype=float)
    kernels = [e for e in events if e["cat"] == "Node" and e["name"].endswith(KERNEL)]
    places = np.searchsorted(starts, [e["ts"] for e in kernels], side="right") - 1
    names = sorted(set(owners.values()))
    times = np.zeros((len(runs), len(names)))
    for event, place in zip(kernels, places, strict=True):
        owner = owners.get(event["name"].removesuffix(KERNEL))
        if place >= 0 and owner is not None:
            times[place, names.index(owner)] += event["dur"]
    low, high = np.percentile(lengths, (25, 75))
    middle = (lengths >= low) & (lengths <= high)
    us = times[middle].mean(axis=0)
    peaks = [int(e["args"]["mem_in_use_peak"]) for e in kernels if "mem_in_use_peak" in e["args"]]
    rests = [
        int(e["args"]["mem_bytes_in_use"]) - int(e["args"]["mem_in_use_delta"])
        for e in kernels[:1]
        if "mem_bytes_in_use" in e["args"]
    ]
    return LayerTimes(
        us=dict(zip(names, us.tolist(), strict=True)),
        between_us=float(max(0.0, lengths[middle].mean() - us.sum())),
        plain_us=plain_us,
        profiled_us=float(np.median(lengths)),
        n_calls=len(runs),
        rest_bytes=rests[0] if rests else None,
        peak_bytes=max(peaks, default=None),
    )
