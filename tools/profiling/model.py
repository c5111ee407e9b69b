"""A bundle's model taken apart: its files' layers, its parameters, its throughput."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from models.golden import draw_tokens, read_windows
from models.onnx_backend import OnnxModel
from models.onnx_seq2seq import OnnxStepper
from models.weights import WEIGHTS, unpack
from tools.profiling.graph import read_graph
from tools.profiling.nodes import time_layers
from tools.profiling.report import BETWEEN, NO_LAYER, FileProfile, LayerRow

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from onnxruntime import InferenceSession

    from models.bundle import Bundle
    from runtime.engine import Engine
    from tools.profiling.graph import Graph
    from tools.profiling.nodes import LayerTimes


def network_of(bundle: Bundle) -> Any | None:
    """Return the network in torch, to be evaluated; None where the bundle holds no weights.

    Raises:
        BundleError: it holds some that do not fit.
    """
    return unpack(bundle).eval() if WEIGHTS in bundle.files else None


def profile_files(
    engine: Engine,
    bundle: Bundle,
    network: Any | None,
    *,
    n_steps: float,
    traces: dict[str, Path],
) -> tuple[FileProfile, ...]:
    """Return the profile of the model's file, and of the step decoder's where there is one.

    Args:
        engine: of the bundle.
        bundle: with the bytes of its files.
        network: the same in torch, if it is there.
        n_steps: of the step decoder in a hop.
        traces: where to keep the runtime's traces, by the file's name; may be empty.
    """
    manifest = bundle.manifest
    parameters: dict[str, int] | None = None
    flops: dict[str, int] = {}
    if network is not None:
        from tools.profiling.network import network_flops, parameters_by_layer

        parameters, flops = parameters_by_layer(network), network_flops(network, manifest)
    window = read_windows(bundle)[0]
    parts: list[tuple[str, InferenceSession, float, Callable[..., Callable[[], object]]]] = [
        (manifest.model.path, engine.session, 1.0, _model_call(bundle, window))
    ]
    if manifest.step is not None and engine.step_session is not None:
        parts.append((manifest.step.path, engine.step_session, n_steps, _step_call(bundle)))
    found = []
    for path, session, n_calls, make_call in parts:
        graph = read_graph(bundle.files[path], where=f"{manifest.name}/{path}")
        times = time_layers(graph, session, make_call, trace=traces.get(path))
        layers = _rows(graph, times, parameters, is_last=path == parts[-1][0])
        found.append(
            FileProfile(
                path=path,
                size_bytes=len(bundle.files[path]),
                weight_bytes=graph.weight_bytes,
                calls_per_hop=n_calls,
                flops=graph.flops,
                flops_torch=flops.get(path),
                not_counted=graph.not_counted,
                plain_us=times.plain_us,
                profiled_us=times.profiled_us,
                added_us=times.added_us,
                n_calls=times.n_calls,
                arena_rest_bytes=times.rest_bytes,
                arena_peak_bytes=times.peak_bytes,
                layers=layers,
            )
        )
    return tuple(found)


def layer_times(files: tuple[FileProfile, ...]) -> dict[str, float]:
    """Return microseconds of all layers in a hop; those of a step decoder say so."""
    return {
        (f"step decoder's {row.name}" if k else row.name): row.us * file.calls_per_hop
        for k, file in enumerate(files)
        for row in file.layers
    }


def _rows(
    graph: Graph, times: LayerTimes, parameters: dict[str, int] | None, *, is_last: bool
) -> tuple[LayerRow, ...]:
    """Return a file's rows; ``parameters`` are taken out as they find their layers."""
    whole = sum(times.us.values()) + times.between_us or 1.0
    rows = []
    for layer in graph.layers.values():
        us = times.us.get(layer.name, 0.0)
        n = layer.n_weights if parameters is None else parameters.pop(layer.name, 0)
        rows.append(
            LayerRow(
                name=layer.name,
                operators=tuple(layer.operators),
                parameters=n,
                flops=layer.flops,
                us=us,
                share=us / whole,
            )
        )
    if times.between_us > 1e-3 * whole:
        rows.append(_bare(BETWEEN, us=times.between_us, share=times.between_us / whole))
    if is_last and parameters:
        rows.append(_bare(NO_LAYER, parameters=sum(parameters.values())))
    return tuple(rows)


def _bare(name: str, *, parameters: int = 0, us: float = 0.0, share: float = 0.0) -> LayerRow:
    return LayerRow(name=name, operators=(), parameters=parameters, flops=0, us=us, share=share)


def _model_call(bundle: Bundle, window: Any) -> Callable[[InferenceSession], Callable[[], object]]:
    def make(session: InferenceSession) -> Callable[[], object]:
        model = OnnxModel(session, bundle.manifest.model)
        return lambda: model.run(window)

    return make


def _step_call(bundle: Bundle) -> Callable[[InferenceSession], Callable[[], object]]:
    manifest = bundle.manifest

    def make(session: InferenceSession) -> Callable[[], object]:
        if manifest.step is None:
            raise TypeError("step: wanted a bundle with a step decoder")
        stepper = OnnxStepper(session, manifest.step, manifest.model)
        tokens = draw_tokens(stepper, n=1, n_steps=2)[0]  # (2, R)
        parents = np.arange(stepper.n_rows, dtype=np.int64)
        stepper.begin(np.zeros(manifest.model.output.shape, np.float32))
        return lambda: stepper.step(tokens[-1], parents, 1)

    return make
