from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.profiling.nodes import _owner, _read, added_by_profile

times = st.lists(st.floats(0.0, 1e4), min_size=1, max_size=40)


@given(times, st.floats(0.0, 1e4))
def test_nodes_add_up_to_the_plain_call_and_none_is_less_than_nothing(
    by_node: list[float], plain_us: float
) -> None:
    found = np.array(by_node)
    added = added_by_profile(found, plain_us)
    assert added >= 0.0
    left = np.maximum(0.0, found - added).sum()
    assert left == pytest.approx(min(plain_us, found.sum()), rel=1e-6, abs=1e-6)


def event(name: str, ts: int, dur: int, **more: object) -> dict[str, object]:
    kind = "Session" if name == "model_run" else "Node"
    return {"cat": kind, "name": name, "ts": ts, "dur": dur, "args": more}


def test_the_middle_calls_count_layer_by_layer() -> None:
    events = []
    for k, (first, second) in enumerate([(900, 900), (10, 30), (12, 30), (11, 33), (500, 2)]):
        at = 10_000 * k
        events += [
            event("model_run", at, first + second + 5),
            event("a_kernel_time", at + 1, first),
            event("b/Fused_kernel_time", at + 1 + first, second),
        ]
    found = _read(events, {"a": "one", "b/Fused": "two"}, plain_us=42.0, n_calls=4)
    assert found.n_calls == 4  # the first was a warm-up
    assert found.us == pytest.approx({"one": 11.5 - 0.5, "two": 31.5 - 0.5})  # of two calls
    assert found.added_us == pytest.approx(0.5)
    assert found.between_us == 0.0
    assert found.profiled_us == pytest.approx(48.0)
    assert found.peak_bytes is None


def test_what_nodes_leave_of_a_call_is_told() -> None:
    events = [event("model_run", 0, 20), event("a_kernel_time", 1, 8)]
    found = _read(events, {"a": "one"}, plain_us=15.0, n_calls=1)
    assert found.us == {"one": 8.0}
    assert found.between_us == pytest.approx(7.0)


def test_memory_is_the_runtimes_own_word() -> None:
    nodes = [
        {"mem_bytes_in_use": "120", "mem_in_use_delta": "20", "mem_in_use_peak": "130"},
        {"mem_bytes_in_use": "110", "mem_in_use_delta": "-10", "mem_in_use_peak": "150"},
    ]
    events = [event("model_run", 0, 20)]
    events += [event("a_kernel_time", 1, 8, **nodes[0]), event("b_kernel_time", 9, 8, **nodes[1])]
    found = _read(events, {"a": "one", "b": "one"}, plain_us=15.0, n_calls=1)
    assert (found.rest_bytes, found.peak_bytes) == (100, 150)


@pytest.mark.parametrize(
    ("name", "output", "owner"),
    [
        ("conv", "x", "layers.7"),
        ("conv/fused", "x", "layers.7"),
        ("made_up", "convolved", "layers.7"),
        ("convolved_nchwc", "reorder_token_3", "layers.7"),  # as ONNX Runtime names them
        ("convolved_nchwc_token_4", "reorder_token_3", "layers.7"),
        ("ReorderInput", "reorder", None),
    ],
)
def test_a_node_of_the_runtime_belongs_to_the_layer_it_was_made_of(
    name: str, output: str, owner: str | None
) -> None:
    graph: Any = SimpleNamespace(
        layer_of_node={"conv": "layers.7"}, layer_of_tensor={"convolved": "layers.7"}
    )
    assert _owner(graph, SimpleNamespace(name=name, output=[output])) == owner
