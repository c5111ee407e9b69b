"""Networks that were spoilt on purpose: a step that errs, one that is slow, one hard to round."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper

from models.bundle import write_bundle
from tools.compression.pruning.prunable import Prunable
from tools.compression.quantizing.bundle import quantized_bundle
from tools.demo.demo_run import DEMO_BUNDLE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FAR = 30.0
"""How many times the largest weight those are that nothing is multiplied by."""


def sabotaged(change: Callable[[onnx.ModelProto], None]) -> Callable[..., Any]:
    """Return a step that stores the network as it is, and spoils it."""

    def made(recoder: Any, step: str) -> Any:
        bundle = recoder._bundle
        model = onnx.load_from_string(bundle.files["model.onnx"])
        change(model)
        files = {"model.onnx": model.SerializeToString()}
        return quantized_bundle(step, bundle, files, {"all": 8}, how="spoilt")

    return made


def deafened(model: onnx.ModelProto) -> None:
    """Half of the weights become zeros."""
    for tensor in model.graph.initializer:
        if np.prod(tensor.dims) > 1000:
            array = numpy_helper.to_array(tensor).copy()
            array[..., ::2] = 0.0
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))


def slowed(model: onnx.ModelProto) -> None:
    """The first output is turned round two thousand times."""
    output = model.graph.output[0]
    last = next(node for node in model.graph.node if output.name in node.output)
    place = list(last.output).index(output.name)
    last.output[place] = name = "unspoilt"
    for k in range(2000):
        after = output.name if k == 1999 else f"spoilt_{k}"
        model.graph.node.append(helper.make_node("Neg", [name], [after]))
        name = after


def write_lopsided(path: Path) -> None:
    """Write the demo's bundle with far too large weights behind a feature and a unit that are 0.

    The network computes what it did without these two, but whoever divides a row's largest weight
    by 127 has few numbers left for all the others.
    """
    demo = Prunable(DEMO_BUNDLE, path.with_suffix(".trainings"), importance="magnitude")
    network, scores = demo.network, demo.scores(demo.network)
    gru, n = network.gru, network.settings.n_hidden
    feature, unit = int(scores["filters"].argmin()), int(scores["gru.0"].argmin())
    with torch.no_grad():
        network.norm.weight[feature] = network.norm.bias[feature] = 0.0
        gru.weight_ih_l0[:, feature] = FAR * gru.weight_ih_l0.abs().max()
        for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
            getattr(gru, name)[2 * n + unit] = 0.0  # its candidate is 0, and so is the unit
        gru.weight_hh_l0[:, unit] = FAR * gru.weight_hh_l0.abs().max()
        gru.weight_hh_l0[2 * n + unit, unit] = 0.0
    write_bundle(path, *demo.made("lopsided", network))
