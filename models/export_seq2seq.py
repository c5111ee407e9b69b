"""A sequence-to-sequence network as two ONNX files: the encoder, and a step with its cache.

Both are checked against the network before anybody gets them: the same windows, written out symbol
by symbol, must give what the network gives in float64.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from models.export import Exported, ExportError, quiet
from models.manifest import ModelFile, StatePair, StepFile, Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    from models.seq2seq import Seq2SeqNetwork

PARITY = 1e-4
"""Largest difference of a probability between the exported steps and the network in float64."""

PARITY_WINDOWS = 3


@dataclass(frozen=True, slots=True)
class ExportedSeq2Seq:
    """``encoder`` is ``model.onnx``, ``step_data`` ``step.onnx``, which ``step`` describes."""

    encoder: Exported
    step_data: bytes
    step: StepFile


def export_seq2seq(network: Seq2SeqNetwork, *, n_samples: int, n_rows: int) -> ExportedSeq2Seq:
    """Return ``network`` as ONNX for windows of ``n_samples`` and ``n_rows`` hypotheses at once.

    Raises:
        ValueError: ``n_samples`` is no whole number of patches.
        ExportError: a GRU of another kind than torch's, or a difference above :data:`PARITY`.
    """
    if n_samples < 1 or n_samples % network.settings.patch_samples:
        raise ValueError(
            f"n_samples: got {n_samples}, must be patches of {network.settings.patch_samples}"
        )
    network = network.eval()
    encoder, memory = _export_encoder(network, n_samples)
    step_data, step = _export_step(network, memory, n_rows)
    exported = ExportedSeq2Seq(encoder, step_data, step)
    check_parity(network, exported)
    return exported


def _export_encoder(network: Seq2SeqNetwork, n_samples: int) -> tuple[Exported, Any]:
    """Return the encoder as ONNX, and the memory (1, F, D) of silence."""
    import torch

    class Encoder(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, samples: torch.Tensor) -> torch.Tensor:
            return self.network.encode(samples)

    samples = torch.zeros(1, n_samples, network.settings.n_inputs)
    with torch.no_grad():
        memory = network.encode(samples)
    data = _to_onnx(Encoder().eval(), (samples,), ["samples"], ["memory"])
    _check_gru(data, network)
    file = ModelFile(
        input=Tensor(name="samples", shape=tuple(samples.shape)),
        output=Tensor(name="memory", shape=tuple(memory.shape)),
    )
    return Exported(data=data, file=file), memory


def _export_step(network: Seq2SeqNetwork, memory: Any, n_rows: int) -> tuple[bytes, StepFile]:
    """Return the step as ONNX, and how the manifest describes it."""
    import torch

    class Step(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(
            self,
            tokens: torch.Tensor,
            position: torch.Tensor,
            memory: torch.Tensor,
            *cache: torch.Tensor,
        ) -> tuple[torch.Tensor, ...]:
            return self.network.step(tokens, position, memory, *cache)

    cache = network.initial_cache(n_rows)
    tokens = torch.zeros(n_rows, dtype=torch.int64)
    position = torch.zeros(1, dtype=torch.int64)
    given = [f"cache_{k}" for k in range(len(cache))]
    taken = [f"{name}_next" for name in given]
    data = _to_onnx(
        Step().eval(),
        (tokens, position, memory, *cache),
        ["tokens", "position", "memory", *given],
        ["log_probs", "attention", *taken],
    )
    step = StepFile(
        n_rows=n_rows,
        max_symbols=network.settings.max_symbols,
        output=Tensor(name="log_probs", shape=(n_rows, network.settings.n_symbols)),
        attention=Tensor(name="attention", shape=(n_rows, memory.shape[1])),
        cache=tuple(
            StatePair(input=name, output=after, shape=tuple(tensor.shape))
            for name, after, tensor in zip(given, taken, cache, strict=True)
        ),
    )
    return data, step


def _to_onnx(
    module: nn.Module, inputs: tuple[Any, ...], names: list[str], outputs: list[str]
) -> bytes:
    import torch

    with quiet(), torch.no_grad():
        program = torch.onnx.export(
            module, inputs, input_names=names, output_names=outputs, dynamo=True, verbose=False
        )
    if program is None:
        raise ExportError("the exporter gave no program, must give one graph")
    model = program.model_proto
    kept = [value.name for value in model.graph.input]
    if kept != names:
        raise ExportError(f"the exported graph takes {kept}, must take {names}")
    data: bytes = model.SerializeToString()
    return data


def _check_gru(data: bytes, network: Seq2SeqNetwork) -> None:
    """Refuse a graph whose GRU nodes are missing or put the reset gate where torch does not."""
    import onnx
    from torch import nn

    n_layers = sum(m.num_layers for m in network.modules() if isinstance(m, nn.GRU))
    nodes = [node for node in onnx.load_from_string(data).graph.node if node.op_type == "GRU"]
    resets = [a.i for node in nodes for a in node.attribute if a.name == "linear_before_reset"]
    if resets != [1] * n_layers:
        raise ExportError(
            f"GRU nodes with linear_before_reset {resets}, must be {n_layers} nodes with 1"
        )


def check_parity(
    network: Seq2SeqNetwork, exported: ExportedSeq2Seq, *, tolerance: float = PARITY
) -> float:
    """Return the largest difference of probabilities and attention from the network in float64.

    Several windows are written out to the longest text, other symbols in every row.

    Raises:
        ExportError: it is above ``tolerance``.
    """
    import torch

    exact = copy.deepcopy(network).double().eval()
    rng = np.random.default_rng(0)
    step, worst = exported.step, 0.0
    for _ in range(PARITY_WINDOWS):
        samples = rng.standard_normal(exported.encoder.file.input.shape).astype(np.float32)
        tokens = rng.integers(1, step.output.shape[1], (step.n_rows, step.max_symbols))
        tokens[:, 0] = 0
        rows = torch.from_numpy(samples).double().expand(step.n_rows, -1, -1)  # (R, T, C)
        with torch.no_grad():
            wanted = exact(rows, torch.from_numpy(tokens))  # (R, L, V), (R, L, F)
        log_probs, attention = run_steps(exported, run_encoder(exported, samples), tokens)
        off = np.abs(np.exp(log_probs) - np.exp(wanted[0].numpy())).max()
        off = max(off, np.abs(attention - wanted[1].numpy()).max())
        if not off <= tolerance:
            raise ExportError(
                f"the exported steps: probabilities differ by {off:.3g} from the network, "
                f"must be within {tolerance:g}"
            )
        worst = max(worst, float(off))
    return worst


def run_encoder(exported: ExportedSeq2Seq, samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the memory (1, F, D) of a window (1, T, C)."""
    (memory,) = _session(exported.encoder.data).run(None, {"samples": samples})
    return np.asarray(memory)


def run_steps(
    exported: ExportedSeq2Seq, memory: NDArray[np.float32], tokens: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return log-probabilities (R, L, V) and attention (R, L, F) of ``tokens`` (R, L).

    ``memory`` is (1, F, D); column l tells of what follows ``tokens[:, :l + 1]``.
    """
    session = _session(exported.step_data)
    cache = {pair.input: np.zeros(pair.shape, np.float32) for pair in exported.step.cache}
    found = []
    for k in range(tokens.shape[1]):
        given = {"tokens": tokens[:, k], "position": np.array([k]), "memory": memory}
        log_probs, attention, *following = session.run(None, given | cache)
        cache = dict(zip(cache, following, strict=True))
        found.append((log_probs, attention))
    log_probs, attention = (np.stack(each, axis=1) for each in zip(*found, strict=True))
    return log_probs, attention


def _session(data: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
