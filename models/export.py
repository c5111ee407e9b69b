"""A network as ONNX: a fixed number of frames a call, its state in and out as tensors.

The exported file is checked against the network before anybody gets it: the same recording, cut
into calls, must give what one pass over all of it gives.
"""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from models.manifest import ModelFile, StatePair, Tensor
from pipeline.errors import EegscribeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from models.network import CtcNetwork

PARITY = 1e-4
"""Largest difference of a probability between the calls and one pass in float64.

Fresh weights agree within 1e-6. Trained ones amplify what float32 rounds away: log-probabilities of
the demonstration's network reach -31, and torch's own pass in float32 is further from float64
than the exported calls are. What an export gets wrong (reset gate, frozen length) is off by 1e-2.
"""

PARITY_CALLS = (1, 2, 7, 50)


@dataclass(frozen=True, slots=True)
class Exported:
    """``data`` is ``model.onnx``, ``file`` how the manifest describes it."""

    data: bytes
    file: ModelFile


class ExportError(EegscribeError):
    """The exported graph does not compute what the network computes."""


def export_ctc(network: CtcNetwork, *, n_frames: int) -> Exported:
    """Return ``network`` as ONNX that takes ``n_frames`` patches a call.

    Raises:
        ExportError: a GRU node of the wrong kind, or a difference above :data:`PARITY`.
    """
    import torch

    network = network.eval()
    state = network.initial_state()
    n_samples = n_frames * network.settings.patch_samples
    samples = torch.zeros(1, n_samples, network.settings.n_inputs)
    inputs = ["samples", *(f"state_{k}" for k in range(len(state)))]
    outputs = ["log_probs", *(f"state_{k}_next" for k in range(len(state)))]
    with quiet(), torch.no_grad():
        program = torch.onnx.export(
            network,
            (samples, *state),
            input_names=inputs,
            output_names=outputs,
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise ExportError("the exporter gave no program, must give one graph")
    model = program.model_proto
    _check_gru(model, network)
    exported = Exported(
        data=model.SerializeToString(),
        file=ModelFile(
            input=Tensor(name="samples", shape=tuple(samples.shape)),
            output=Tensor(name="log_probs", shape=(1, n_frames, network.settings.n_symbols)),
            state=tuple(
                StatePair(input=f"state_{k}", output=f"state_{k}_next", shape=tuple(tensor.shape))
                for k, tensor in enumerate(state)
            ),
        ),
    )
    check_parity(network, exported)
    return exported


def check_parity(network: CtcNetwork, exported: Exported, *, tolerance: float = PARITY) -> float:
    """Return the largest difference between the exported calls and one pass, over several lengths.

    Raises:
        ExportError: it is above ``tolerance``; names the length.
    """
    import torch

    exact = copy.deepcopy(network).double()
    state = tuple(tensor.double() for tensor in exact.initial_state())
    worst = 0.0
    rng = np.random.default_rng(0)
    _, n_samples, n_inputs = exported.file.input.shape
    for n_calls in PARITY_CALLS:
        samples = rng.standard_normal((1, n_calls * n_samples, n_inputs)).astype(np.float32)
        with torch.no_grad():
            full = exact(torch.from_numpy(samples).double(), *state)[0][0].numpy()
        difference = float(np.abs(np.exp(run_calls(exported, samples[0])) - np.exp(full)).max())
        if not difference <= tolerance:
            raise ExportError(
                f"{n_calls} calls of the exported model: probabilities differ by "
                f"{difference:.3g} from one pass of the network, must be within {tolerance:g}"
            )
        worst = max(worst, difference)
    return worst


def run_calls(exported: Exported, samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return log-probabilities (n_frames, n_symbols) of ``samples`` (whole calls, n_inputs)."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        exported.data, options, providers=["CPUExecutionProvider"]
    )
    state = {pair.input: np.zeros(pair.shape, np.float32) for pair in exported.file.state}
    n_samples = exported.file.input.shape[1]
    frames = []
    for window in samples.reshape(-1, 1, n_samples, samples.shape[1]):
        log_probs, *following = session.run(None, {"samples": window, **state})
        state = dict(zip(state, following, strict=True))
        frames.append(log_probs[0])
    return np.concatenate(frames)


def export_reference(*, n_frames: int, seed: int = 0) -> Exported:
    """Return the benches' reference model (``reference_settings``), random weights, as ONNX."""
    from models.gru_ctc import build, reference_settings

    return export_ctc(build(reference_settings(), seed=seed), n_frames=n_frames)


def _check_gru(model: Any, network: CtcNetwork) -> None:
    """Refuse a graph whose GRU nodes are missing or put the reset gate where torch does not."""
    from torch import nn

    n_layers = sum(m.num_layers for m in network.modules() if isinstance(m, nn.GRU))
    nodes = [node for node in model.graph.node if node.op_type == "GRU"]
    resets = [a.i for node in nodes for a in node.attribute if a.name == "linear_before_reset"]
    if resets != [1] * n_layers:
        raise ExportError(
            f"GRU nodes with linear_before_reset {resets}, must be {n_layers} nodes with 1"
        )


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep the exporter's chatter off stdout and stderr; errors still raise."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
