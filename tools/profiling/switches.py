"""Profilers that cost much and are off unless asked for: Python's own, and torch's."""

from __future__ import annotations

import cProfile
import io
import os
import pstats
import time
from typing import TYPE_CHECKING, Any

from runtime.whole_file import write_whole
from tools.profiling.hops import replay_hops

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from models.bundle import Bundle
    from runtime.engine import Engine
    from tools.profiling.hops import Hops

N_LINES = 25
N_TORCH_CALLS = 20
OWN_TIME = "self_cpu_time_total"


def profile_python(
    engine: Engine,
    recording: Path,
    folder: Path,
    name: str,
    *,
    plain: Hops,
    seconds: float | None,
    on_progress: Callable[[float], None],
) -> list[str]:
    """Replay a recording once more under cProfile; return its functions by their own time.

    Writes ``NAME.pstats``. ``plain`` is the same replay without it, to tell what it cost.
    """
    profiler = cProfile.Profile()
    hops = replay_hops(engine, recording, seconds=seconds, on_progress=on_progress, under=profiler)
    partial = folder / f".{name}.pstats.partial"
    profiler.dump_stats(partial)
    partial.replace(folder / f"{name}.pstats")
    said = io.StringIO()
    pstats.Stats(profiler, stream=said).strip_dirs().sort_stats("tottime").print_stats(N_LINES)
    lines = [line.rstrip() for line in said.getvalue().strip().splitlines()]
    cost = hops.total_ns / plain.total_ns
    return [*(line for line in lines if line), f"cProfile made the replay {cost:.1f} times as long"]


def profile_torch(bundle: Bundle, network: Any, folder: Path, name: str) -> list[str]:
    """Call the network under torch's profiler; return its operators by their own time.

    Writes the Chrome trace, and the same operators with the Python stack that called them. Of a
    network that writes it is the encoder.
    """
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # it tells stderr when it begins and ends
    import torch
    from torch.profiler import ProfilerActivity, profile

    file = bundle.manifest.model
    samples = torch.zeros(file.input.shape)
    state = network.initial_state() if file.state else ()
    module = network.encode if bundle.manifest.step is not None else network
    stacks = torch._C._profiler._ExperimentalConfig(verbose=True)
    with torch.inference_mode():
        _seconds(lambda: module(samples, *state))  # the first calls cost more
        plain_s = _seconds(lambda: module(samples, *state))
        with profile(
            activities=[ProfilerActivity.CPU],
            record_shapes=True,
            profile_memory=True,
            with_stack=True,
            experimental_config=stacks,
        ) as profiler:
            profiled_s = _seconds(lambda: module(samples, *state))
    partial = folder / f".{name}.torch.json"
    profiler.export_chrome_trace(str(partial))
    partial.replace(folder / f"{name}.torch.json")
    by_operator = profiler.key_averages().table(sort_by=OWN_TIME, row_limit=N_LINES)
    by_stack = profiler.key_averages(group_by_stack_n=6).table(
        sort_by=OWN_TIME, row_limit=N_LINES, max_src_column_width=80
    )
    cost = f"torch's profiler made {N_TORCH_CALLS} calls {profiled_s / plain_s:.1f} times as long"
    whole = f"{by_operator}\n{cost}\n\nby the Python stack that called them\n{by_stack}\n"
    write_whole(folder / f"{name}.torch.txt", whole.encode())
    return [*(line.rstrip() for line in by_operator.strip().splitlines()), cost]


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    for _ in range(N_TORCH_CALLS):
        call()
    return time.perf_counter() - began
