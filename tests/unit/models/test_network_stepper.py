"""The search over networks: several windows at once, one by one, and every text there is."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch

from models.families import build
from models.network_stepper import NetworkStepper
from pipeline.seq2seq import Found
from pipeline.seq2seq_search import Seq2SeqSearch
from pipeline.spec import Seq2SeqDecoder

COMMON = {"n_inputs": 3, "n_symbols": 5, "patch_samples": 4, "kernel_samples": 10, "n_features": 6,
          "max_symbols": 4}  # fmt: skip
SHAPES: dict[str, dict[str, Any]] = {
    "recurrent": {**COMMON, "n_units": 4, "n_layers": 1, "n_decoder": 5, "n_keys": 3},
    "transformer": {**COMMON, "n_width": 8, "n_heads": 2, "n_inner": 9, "n_layers": 1},
}  # fmt: skip
BEAM = 3
DECODER = Seq2SeqDecoder(beam=BEAM, length_alpha=0.6, coverage_beta=0.1)


@pytest.fixture(params=SHAPES)
def network(request: pytest.FixtureRequest) -> Any:
    return build(request.param, SHAPES[request.param], seed=3)


def windows(n: int) -> np.ndarray:
    return np.random.default_rng(7).standard_normal((n, 48, 3)).astype(np.float32)


def ranks(found: list[Found]) -> dict[tuple[int, ...], float]:
    return {one.symbols: one.rank for one in found}


def test_windows_together_give_what_each_gives_alone(network: Any) -> None:
    heard = windows(4)
    many = NetworkStepper(network, n_rows=4 * BEAM + 1)
    prefixes = [(), (1,), (2, 3), ()]
    together = Seq2SeqSearch(many, DECODER).run(many.encode(heard), prefixes=prefixes)
    single = NetworkStepper(network, n_rows=BEAM)
    search = Seq2SeqSearch(single, DECODER)
    for window, prefix, found in zip(heard, prefixes, together, strict=True):
        (alone,) = search.run(single.encode(window[np.newaxis]), prefixes=[prefix])
        assert ranks(alone) == pytest.approx(ranks(found), abs=1e-5)


def test_a_wide_beam_finds_what_teacher_forcing_scores(network: Any) -> None:
    every = [s for n in range(4) for s in itertools.product(range(1, 5), repeat=n)]
    stepper = NetworkStepper(network, n_rows=len(every))
    heard = windows(1)
    decoder = Seq2SeqDecoder(beam=len(every))
    (found,) = Seq2SeqSearch(stepper, decoder).run(stepper.encode(heard))
    tokens = torch.tensor([[0, *s, *[0] * (3 - len(s))] for s in every])  # (N, 4)
    with torch.no_grad():
        rows = torch.from_numpy(heard).expand(len(every), -1, -1)
        log_probs = network(rows, tokens)[0].double().numpy()  # (N, 4, V)
    wanted = {
        s: float(sum(log_probs[k, n, token] for n, token in enumerate((*s, 0))))
        for k, s in enumerate(every)
    }
    assert {one.symbols: one.model_score for one in found} == pytest.approx(wanted, abs=1e-4)
