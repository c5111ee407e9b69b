from __future__ import annotations

import msgspec
import pytest
import torch

from models.bundle import Bundle
from models.families import build
from models.manifest import NetworkOrigin
from models.network import CtcNetwork
from models.weights import WEIGHTS, pack, unpack
from pipeline.errors import BundleError, UsageError
from tests.bundles import make_bundle

SHAPE = {"n_inputs": 3, "n_symbols": 5, "patch_samples": 4, "kernel_samples": 4, "n_hidden": 6}


@pytest.fixture(scope="module")
def network() -> CtcNetwork:
    return build("gru-ctc", SHAPE, seed=1)


@pytest.fixture
def bundle(tmp_path, network: CtcNetwork) -> Bundle:
    from models.bundle import load_bundle

    make_bundle(tmp_path / "b")
    made = load_bundle(tmp_path / "b")
    origin, data = pack("gru-ctc", network)
    manifest = msgspec.structs.replace(made.manifest, network=origin)
    return Bundle(manifest, made.sha256, {**made.files, WEIGHTS: data})


def test_weights_come_back_bit_for_bit(bundle: Bundle, network: CtcNetwork) -> None:
    again = unpack(bundle)
    assert again.settings == network.settings
    for name, tensor in network.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor)


def test_a_bundle_does_not_choose_what_is_imported(bundle: Bundle) -> None:
    origin = NetworkOrigin(family="os:system", settings={})
    with pytest.raises(BundleError, match=r"network.family: got 'os:system', wanted one of"):
        unpack(Bundle(msgspec.structs.replace(bundle.manifest, network=origin), "", bundle.files))


def test_weights_of_another_shape_are_refused(bundle: Bundle) -> None:
    origin = NetworkOrigin(family="gru-ctc", settings={**SHAPE, "n_hidden": 7})
    with pytest.raises(BundleError, match=r"weights.safetensors: does not fit"):
        unpack(Bundle(msgspec.structs.replace(bundle.manifest, network=origin), "", bundle.files))


def test_a_bundle_without_weights_says_so(bundle: Bundle) -> None:
    with pytest.raises(BundleError, match="holds no weights.safetensors"):
        unpack(Bundle(bundle.manifest, "", {}))


@pytest.mark.parametrize("family", ["no-such", "models.gru_ctc:Nothing", "no.such:Net"])
def test_an_unknown_family_is_refused_by_name(family: str) -> None:
    with pytest.raises(UsageError, match=f"family: .*{family}"):
        build(family, SHAPE)


def test_a_family_of_ones_own_is_named_by_module_and_class() -> None:
    assert type(build("models.gru_ctc:GruCtc", SHAPE)).__name__ == "GruCtc"


def test_settings_that_are_not_the_familys_are_refused() -> None:
    with pytest.raises(UsageError, match=r"network of family gru-ctc: .*n_heads"):
        build("gru-ctc", {**SHAPE, "n_heads": 2})
