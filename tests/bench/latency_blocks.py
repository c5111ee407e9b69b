"""One system on the pushed stream for one block, and its time taken apart."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tests.bench.headset import START_S, PushedStream
from tests.bench.peers import peers_python
from tests.bench.processes import REPO, Process, daemon, free_endpoint, module, write_config
from tests.bench.reference_bundle import RATE_HZ, write_reference
from tests.bench.subscriber import COLUMNS, STAGES
from tools.host import machine

if TYPE_CHECKING:
    from pathlib import Path

WARM_UP_S = 3.0
MARGIN_SAMPLES = 0.25
MAX_ASTRAY = 0.05
"""Share of messages whose times may point at another sample than the rest."""


@dataclass
class Block:
    """What one system gave in one block; milliseconds, a row per decode.

    ``cpu_share`` is of one core, ``foreign_share`` what everything else on the machine used.
    """

    less_model: NDArray[np.float64]
    model: NDArray[np.float64]
    cpu_share: float
    foreign_share: float
    stages: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    finals: NDArray[np.float64] | None = None
    notes: dict[str, Any] = field(default_factory=dict)


def run_peer(
    pushed: PushedStream, folder: Path, *, hop_ms: int, seconds: float, mne_lsl: bool
) -> Block:
    """Run a loop of the peers for a block.

    Raises:
        RuntimeError: it failed, or its stamps are not the pusher's.
    """
    out = folder / "rows.npy"
    command = module(
        "loop_pylsl",
        source_id=pushed.source_id,
        model=write_reference(folder.parent, hop_ms=hop_ms) / "model.onnx",
        seconds=seconds,
        out=out,
    )
    if mne_lsl:
        script = REPO / "tests" / "bench" / "loop_mne_lsl.py"
        command = [str(peers_python()), str(script), *command[3:]]
    with Process(command, log=folder / "loop.log") as process:
        process.line(timeout_s=START_S)
        shares = _shares([process, pushed.process], seconds - 1.0)
        process.wait(timeout_s=seconds + START_S)
    stamp_s, ready_s, model_s = np.load(out).T
    exact = pushed.index(stamp_s)
    index = np.rint(exact).astype(np.int64)
    if np.abs(exact - index).max() > 0.01:
        raise RuntimeError("the loop's stamps are not the pusher's")
    less_model = (ready_s - pushed.pushed_s(index) - model_s) * 1e3
    steady = ready_s > ready_s[0] + WARM_UP_S
    return Block(less_model[steady], model_s[steady] * 1e3, *shares)


def run_daemon(
    pushed: PushedStream, folder: Path, *, hop_ms: int, seconds: float, sync: str = "full"
) -> Block:
    """Run the daemon and a subscriber for a block.

    Raises:
        RuntimeError: one of them failed, or messages do not lie on the pusher's axis.
    """
    out, endpoint = folder / "rows.npz", free_endpoint()
    config = write_config(
        folder,
        source_id=pushed.source_id,
        bundle=write_reference(folder.parent, hop_ms=hop_ms),
        endpoint=endpoint,
        sync=sync,
    )
    with (
        Process(module("subscriber", endpoint=endpoint, out=out), log=folder / "sub.log") as hears,
        Process(daemon(config), log=folder / "daemon.log") as speaks,
    ):
        hears.line(timeout_s=START_S)
        shares = _shares([speaks, hears, pushed.process], seconds)
        speaks.stop()
        hears.stop()
    with np.load(out) as arrays:
        rows = arrays["rows"]
        events = json.loads(arrays["events"].tobytes())
        health = json.loads(arrays["health"].tobytes())
    kinds = [event["kind"] for event in events]
    notes = {
        "events": {kind: kinds.count(kind) for kind in sorted(set(kinds))},
        "counters": health[-1]["counters"] if health else {},
    }
    hop_samples = round(hop_ms * RATE_HZ / 1000)
    return _take_apart(rows, pushed, hop_samples, shares, notes)


def _take_apart(
    rows: NDArray[np.float64],
    pushed: PushedStream,
    hop_samples: int,
    shares: tuple[float, float],
    notes: dict[str, Any],
) -> Block:
    """Place every decode on the pusher's axis, and its time on the stages."""
    waited = np.isfinite(rows[:, COLUMNS.index("transport")])  # not so for what a stop commits
    columns = dict(zip(COLUMNS, rows[waited].T, strict=True))
    offset, n_astray = _offset(columns["stop"], pushed.index(columns["end_s"]))
    newest = _newest(columns, pushed, offset, hop_samples)
    pushed_s = pushed.pushed_s(newest)
    whole_ms = (columns["arrived_s"] - pushed_s) * 1e3
    # The daemon counts transport from the stamp; a push that came late is the pusher's own time.
    late_ms = (pushed_s - pushed.stamp_s(newest)) * 1e3
    stages = {name: columns[name].copy() for name in STAGES}
    stages["transport"] -= late_ms
    stages["total"] -= late_ms
    stages["wire"] = whole_ms - stages["total"]
    stages["whole"] = whole_ms
    steady = columns["arrived_s"] > columns["arrived_s"][0] + WARM_UP_S
    partial = _last_of_each(_decodes(columns), steady & (columns["is_final"] == 0))
    less_model = whole_ms - stages["model"]
    return Block(
        less_model[partial],
        stages["model"][partial],
        *shares,
        stages={name: values[partial] for name, values in stages.items()},
        finals=less_model[steady & (columns["is_final"] == 1)],
        notes={"astray": n_astray, **notes},
    )


def _last_of_each(numbers: NDArray[np.int64], wanted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which rows are the last wanted ones of their number: a decode is told once."""
    rows = np.flatnonzero(wanted)
    last = {int(numbers[row]): row for row in rows}
    chosen = np.zeros(len(numbers), dtype=bool)
    chosen[list(last.values())] = True
    return chosen


def _newest(
    columns: dict[str, NDArray[np.float64]], pushed: PushedStream, offset: int, hop_samples: int
) -> NDArray[np.int64]:
    """Return the newest sample that each message's decode waited for, on the pusher's axis.

    A message's ``samples`` end with its text, which may be older. The daemon's own count of its
    time begins at the stamp of the newest sample it had; decodes come at whole hops, each once.
    """
    stamp_s = columns["made_s"] - columns["total"] / 1e3
    n_samples = pushed.index(stamp_s) - offset + 1
    n_hops = np.floor((n_samples + MARGIN_SAMPLES) / hop_samples).astype(np.int64)
    decodes = _decodes(columns)
    earlier: dict[int, int] = {}
    for row in range(len(n_hops) - 1, -1, -1):  # after a stall several decodes saw the same newest
        later = earlier.get(int(decodes[row]) + 1)
        own = earlier.get(int(decodes[row]), int(n_hops[row]))
        earlier[int(decodes[row])] = own if later is None else min(own, later - 1)
        n_hops[row] = earlier[int(decodes[row])]
    return n_hops * hop_samples - 1 + offset


def _decodes(columns: dict[str, NDArray[np.float64]]) -> NDArray[np.int64]:
    """Return the number of each message's decode: the messages of one share all its times."""
    times = np.stack([columns[name] for name in ("filter", "model", "decode")], axis=1)
    _, first, inverse = np.unique(times, axis=0, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(columns["made_s"][first])] = np.arange(len(first))
    numbers: NDArray[np.int64] = rank[inverse.ravel()]
    return numbers


def _offset(stop: NDArray[np.float64], exact: NDArray[np.float64]) -> tuple[int, int]:
    """Return what to add to the daemon's indices, and how many messages say otherwise.

    Raises:
        RuntimeError: their times do not agree on one offset.
    """
    each = np.rint(exact - stop)
    offset = int(np.median(each))
    n_astray = int(np.count_nonzero(each != offset))
    if n_astray > MAX_ASTRAY * len(each):
        raise RuntimeError(f"{n_astray} of {len(each)} messages lie elsewhere than at {offset}")
    return offset, n_astray


def _shares(ours: list[Process], seconds: float) -> tuple[float, float]:
    """Sleep, then return the share of a core of the first process, and of all that is not ours."""
    before = [process.cpu_s() for process in ours]
    ticks, began_s = machine.ticks(), time.monotonic()
    time.sleep(seconds)
    elapsed_s = time.monotonic() - began_s
    spent = [p.cpu_s() - b for p, b in zip(ours, before, strict=True)]
    foreign = machine.busy_share(since=ticks) * machine.n_cores() - sum(spent) / elapsed_s
    return spent[0] / elapsed_s, max(0.0, foreign)
