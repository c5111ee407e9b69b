from __future__ import annotations

import pytest
from onnx import helper

from models.scopes import SCOPES, scope_of, within


@pytest.mark.parametrize(
    ("scopes", "module"),
    [
        (["", "cat"], "top level"),
        (["", "head", "linear"], "head"),
        (["", "blocks.0", "blocks.0.norm", "layer_norm"], "blocks.0.norm"),
        (["", "network", "network.gru", "gru"], "gru"),
        (["", "network", "cat"], "top level"),
    ],
)
def test_torch_says_which_module_a_node_came_from(scopes: list[str], module: str) -> None:
    node = helper.make_node("Add", ["a"], ["b"], name="node_x")
    node.metadata_props.add(key=SCOPES, value=str(scopes))
    assert scope_of(node) == module


@pytest.mark.parametrize(
    ("name", "module"),
    [("/encoder/layers.0/MatMul", "encoder/layers.0"), ("MatMul_7", None), ("", None)],
)
def test_other_exporters_write_a_path(name: str, module: str | None) -> None:
    assert scope_of(helper.make_node("MatMul", ["a", "b"], ["c"], name=name)) == module


def test_recurrent_layers_are_counted_from_one() -> None:
    assert within("gru.l0") == "gru layer 1"
    assert within("network.listen.gru.l11") == "listen.gru layer 12"
    assert within("layers.0") == "layers.0"
