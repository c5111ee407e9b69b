"""Which module of a network a node of an exported file came from."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx import NodeProto

SCOPES = "pkg.torch.onnx.name_scopes"
TOP = "top level"
"""What stands in the network's own code and in no module of it."""

WRAPPED = "network"
"""How a sequence-to-sequence network is called by the module that is exported in its place."""

_QUOTED = re.compile(r"'([^']*)'")
"""A name in what the exporter writes, a list of them; the file may be anybody's, so only read."""

_LAYER = re.compile(r"(.+)\.l(\d+)")


def scope_of(node: NodeProto) -> str | None:
    """Return the module's path in its network; None where the file does not say.

    torch's exporter writes it beside the node, other exporters into the node's name, before a
    stroke.
    """
    for entry in node.metadata_props:
        if entry.key == SCOPES:
            modules = _QUOTED.findall(entry.value)[:-1]  # the last one is the operator
            return within(modules[-1] if modules else "")
    path, stroke, _operator = node.name.strip("/").rpartition("/")
    return within(path) if stroke else None


def within(path: str) -> str:
    """Return a module's path without what it was wrapped in to be exported.

    The layers of a recurrent module, ``l0`` and on to torch, are counted from 1.
    """
    path = path.removeprefix(WRAPPED).removeprefix(".") or TOP
    layer = _LAYER.fullmatch(path)
    return path if layer is None else f"{layer[1]} layer {int(layer[2]) + 1}"
