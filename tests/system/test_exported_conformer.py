"""A conformer as it is exported: the same calls, through a chain cut anywhere."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.export import PARITY, Exported, check_parity, export_ctc
from models.onnx_scan import check_onnx
from pipeline.spec import SlidingWindow
from pipeline.values import Text, Times
from runtime.engine import open_engine
from tests.bundles import CHANNELS, LETTERS, ctc_spec, make_bundle
from tests.unit.models.test_conformer_ctc import LIVE, network

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.chain import Chain


@pytest.fixture(scope="module")
def exports() -> dict[int, Exported]:
    net = network(LIVE)
    return {n_frames: export_ctc(net, n_frames=n_frames) for n_frames in (1, 5)}


@pytest.mark.parametrize("n_frames", [1, 5])
def test_the_exported_calls_compute_what_one_pass_computes(
    exports: dict[int, Exported], n_frames: int
) -> None:
    exported = exports[n_frames]
    assert check_parity(network(LIVE), exported) < PARITY / 10
    check_onnx(exported.data, where="model.onnx")
    graph = onnx.load_from_string(exported.data).graph
    shapes = {
        value.name: tuple(d.dim_value for d in value.type.tensor_type.shape.dim)
        for value in [*graph.input, *graph.output]
    }
    assert shapes["samples"] == (1, 10 * n_frames, len(CHANNELS))
    assert shapes["log_probs"] == (1, n_frames, len(LETTERS))
    assert len(exported.file.state) == 5
    for pair in exported.file.state:
        assert shapes[pair.input] == shapes[pair.output] == pair.shape


@pytest.fixture(scope="module")
def new_chain(
    exports: dict[int, Exported], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], Chain]:
    path = tmp_path_factory.mktemp("bundle") / "b"
    spec = ctc_spec(window=SlidingWindow(window_samples=50, hop_samples=50))
    make_bundle(path, spec=spec, model=(exports[5].data, exports[5].file))
    engine = open_engine(path)
    return lambda: engine.chain()


@settings(max_examples=15, deadline=None)
@given(cuts=st.sets(st.integers(0, 1500), max_size=12))
def test_chunking_never_matters(new_chain: Callable[[], Chain], cuts: set[int]) -> None:
    rng = np.random.default_rng(3)
    samples = (500 + 20 * rng.standard_normal((1500, len(CHANNELS)))).astype(np.float32)
    whole = texts(new_chain(), samples, [0, 1500])
    assert texts(new_chain(), samples, [0, *sorted(cuts), 1500]) == whole
    assert len(whole) > 3


def texts(chain: Chain, samples: np.ndarray, edges: list[int]) -> list[Text]:
    outputs = [o for a, b in itertools.pairwise(edges) for o in chain.push(samples[a:b])]
    outputs += chain.finish()
    return [replace(text, times=Times()) for text in outputs if isinstance(text, Text)]
