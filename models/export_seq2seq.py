"""A sequence-to-sequence network as two ONNX files: the encoder, and a step with its cache.

Both are checked against the network before anybody gets them: the same windows, and every step of
writing them out, must give what the network gives in float64.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from models.export import Exported, ExportError, quiet
from models.manifest import ModelFile, StatePair, StepFile, Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    from models.seq2seq import Seq2SeqNetwork

PARITY = 1e-4
"""Largest difference between the exported network and the network in float64."""

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
    """Return the largest difference from the network in float64: of memories and of single steps.

    Several windows of noise are written out to the longest text, any symbols in every row. Each
    step is given what the network's own steps left, for on noise a network may amplify what float32
    rounds away until two texts of it part. Caches and memories differ relative to their largest
    value, if that is above 1.

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
        with torch.no_grad():
            memory = exact.encode(torch.from_numpy(samples).double())  # (1, F, D)
        given = run_encoder(exported, samples)
        differs = {"memory": _relative(given, memory.numpy())}
        cache = tuple(tensor.double() for tensor in exact.initial_cache(step.n_rows))
        for k, column in enumerate(tokens.T):
            left = [tensor.numpy().astype(np.float32) for tensor in cache]
            got = run_step(exported, column, k, memory.numpy().astype(np.float32), left)
            position = torch.tensor([k])
            with torch.no_grad():
                wanted = exact.step(torch.from_numpy(column), position, memory, *cache)
            off = [np.abs(np.exp(got[0]) - wanted[0].exp().numpy()).max()]
            off += [_relative(a, b.numpy()) for a, b in zip(got[1:], wanted[1:], strict=True)]
            differs[f"step {k}"] = float(max(off))
            cache = wanted[2:]
        for what, difference in differs.items():
            if not difference <= tolerance:
                raise ExportError(
                    f"{what} of the exported network: differs by {difference:.3g} from the "
                    f"network, must be within {tolerance:g}"
                )
        worst = max(worst, *differs.values())
    return worst


def _relative(got: NDArray[np.float32], wanted: NDArray[np.float64]) -> float:
    return float(np.abs(got - wanted).max() / max(1.0, np.abs(wanted).max()))


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
    cache = [np.zeros(pair.shape, np.float32) for pair in exported.step.cache]
    found = []
    for k, column in enumerate(tokens.T):
        log_probs, attention, *cache = run_step(exported, column, k, memory, cache)
        found.append((log_probs, attention))
    log_probs, attention = (np.stack(each, axis=1) for each in zip(*found, strict=True))
    return log_probs, attention


def run_step(
    exported: ExportedSeq2Seq,
    tokens: NDArray[np.int64],
    position: int,
    memory: NDArray[np.float32],
    cache: list[NDArray[np.float32]],
) -> list[NDArray[np.float32]]:
    """Return ``[log_probs (R, V), attention (R, F), *next_cache]`` of ``tokens`` (R,)."""
    names = [pair.input for pair in exported.step.cache]
    given = {"tokens": tokens, "position": np.array([position]), "memory": memory}
    given |= dict(zip(names, cache, strict=True))
    return list(_session(exported.step_data).run(None, given))


@lru_cache(maxsize=2)
def _session(data: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
