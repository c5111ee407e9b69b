from __future__ import annotations

import numpy as np
import pytest
import torch

from models.eegnet import EegNetSettings
from models.export import run_calls
from models.export_classifier import check_parity, export_classifier
from models.families import build
from tests.unit.models.eegnets import SHAPE, network_of


@pytest.mark.parametrize("n_symbols", [1, 4])
def test_the_exported_model_computes_what_the_network_does(n_symbols: int) -> None:
    shape = EegNetSettings(**{**{f: getattr(SHAPE, f) for f in SHAPE.__struct_fields__},
                              "n_symbols": n_symbols})  # fmt: skip
    network = network_of(shape)
    exported = export_classifier(network)
    assert exported.file.input.shape == (1, 50, 3)
    assert (exported.file.output.name, exported.file.output.shape) == ("scores", (1, 1, n_symbols))
    assert not exported.file.state
    samples = np.random.default_rng(0).standard_normal((50, 3)).astype(np.float32)
    with torch.no_grad():
        own = network(torch.from_numpy(samples)[None])[0].numpy()
    np.testing.assert_allclose(run_calls(exported, samples), own, atol=1e-4)
    assert check_parity(network, exported) < 1e-4


def test_parity_is_refused_where_the_model_is_another() -> None:
    exported = export_classifier(network_of(SHAPE))
    other = build("eegnet", {f: getattr(SHAPE, f) for f in SHAPE.__struct_fields__}, seed=1)
    with pytest.raises(Exception, match="must be within"):
        check_parity(other, exported)  # type: ignore[arg-type]
