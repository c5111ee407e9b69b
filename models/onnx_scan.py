"""Looks through an ONNX file for what a bundle may not contain, before any runtime sees it.

Reads the protocol buffer's wire format directly (field numbers from onnx.proto3), since the onnx
package has no place in the daemon. Refused: external data, operators of another domain than the
standard ones, and functions of the model's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Iterator

DOMAINS = frozenset({b"", b"ai.onnx", b"ai.onnx.ml", b"com.microsoft"})
"""Standard operators, and those that ONNX Runtime itself ships (quantized matrix products)."""

MAX_DEPTH = 16

# onnx.proto3: message name -> field number -> (name, message inside or None)
_MODEL, _GRAPH, _NODE, _ATTRIBUTE, _TENSOR, _SPARSE, _OPSET = range(7)
_CHILDREN = {
    _MODEL: {7: _GRAPH, 8: _OPSET},
    _GRAPH: {1: _NODE, 5: _TENSOR, 15: _SPARSE},
    _NODE: {5: _ATTRIBUTE},
    _ATTRIBUTE: {5: _TENSOR, 6: _GRAPH, 10: _TENSOR, 11: _GRAPH, 22: _SPARSE, 23: _SPARSE},
    _SPARSE: {1: _TENSOR, 2: _TENSOR},
    _TENSOR: {},
    _OPSET: {},
}
_DOMAIN_FIELD = {_NODE: 7, _OPSET: 1}
_MODEL_FUNCTIONS = 25
_TENSOR_EXTERNAL = 13
_TENSOR_LOCATION = 14


def check_onnx(data: bytes, *, where: str) -> None:
    """Refuse a model that reaches outside its own bytes or needs operators that we do not ship.

    Raises:
        BundleError: not an ONNX file, or one of the refused things, by name.
    """
    try:
        has_graph = _check(memoryview(data), _MODEL, where, 0)
    except (IndexError, ValueError) as error:
        raise BundleError(f"{where}: not an ONNX file ({error})") from None
    if not has_graph:
        raise BundleError(f"{where}: not an ONNX file (no graph in it)")


def _check(data: memoryview, kind: int, where: str, depth: int) -> bool:
    """Check one message and all inside it; return whether it has a message inside."""
    if depth > MAX_DEPTH:
        raise BundleError(f"{where}: graphs nested deeper than {MAX_DEPTH} messages")
    has_graph = False
    for field, value in _fields(data):
        if kind == _MODEL and field == _MODEL_FUNCTIONS:
            raise BundleError(f"{where}: has functions of its own, wanted standard operators only")
        if kind == _TENSOR and (
            field == _TENSOR_EXTERNAL or (field == _TENSOR_LOCATION and value == 1)
        ):
            raise BundleError(f"{where}: has external data, wanted all weights in the file")
        if _DOMAIN_FIELD.get(kind) == field and isinstance(value, memoryview):
            domain = bytes(value)
            if domain not in DOMAINS:
                name = domain.decode("utf-8", "replace")
                raise BundleError(
                    f"{where}: needs operators of domain {name!r}, wanted standard ones"
                )
        child = _CHILDREN[kind].get(field)
        if child is not None and isinstance(value, memoryview):
            has_graph = has_graph or child == _GRAPH
            _check(value, child, where, depth + 1)
    return has_graph


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield ``(field number, value)``: an int for numbers, a view for everything of a length."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        field, wire = tag >> 3, tag & 7
        if wire == 0:
            number, at = _varint(data, at)
            yield field, number
        elif wire == 2:
            length, at = _varint(data, at)
            if length > len(data) - at:
                raise ValueError(f"a field of {length} bytes with {len(data) - at} left")
            yield field, data[at : at + length]
            at += length
        elif wire in {1, 5}:
            at += 8 if wire == 1 else 4
            if at > len(data):
                raise ValueError("ends inside a number")
        else:
            raise ValueError(f"wire type {wire} at byte {at}")


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a number of over 64 bits")
