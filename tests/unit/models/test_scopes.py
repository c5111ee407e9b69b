"""Where a node came from is read off a file that may be anybody's."""

from __future__ import annotations

import pytest
from onnx import helper

from models.scopes import SCOPES, scope_of


def node(scopes: str, name: str = "") -> object:
    made = helper.make_node("Add", ["a", "b"], ["c"], name=name)
    made.metadata_props.add(key=SCOPES, value=scopes)
    return made


@pytest.mark.parametrize(
    ("scopes", "told"),
    [
        ("['', 'gru', 'gru.l1', 'aten.add']", "gru layer 2"),
        ("['', 'network.head', 'add']", "head"),
        ("['', 'add']", "top level"),
        # What no exporter writes is neither run nor a crash.
        ("[" * 100_000, "top level"),
        ("__import__('os').system('false')", "os"),
        ("nothing", "top level"),
    ],
)
def test_a_scope_is_read_whatever_stands_there(scopes: str, told: str) -> None:
    assert scope_of(node(scopes)) == told  # type: ignore[arg-type]
