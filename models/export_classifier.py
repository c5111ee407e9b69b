"""A classifier as ONNX: one window a call, checked against the network before anybody gets it."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from models.export import PARITY, Exported, ExportError, quiet, run_calls
from models.manifest import ModelFile, Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.classifier import Classifier

N_PARITY = 8


def export_classifier(network: Classifier) -> Exported:
    """Return ``network`` as ONNX: ``samples`` (1, T, C) to ``scores`` (1, 1, V).

    Raises:
        ExportError: it does not compute what the network computes, in float64.
    """
    import torch

    network, s = network.eval(), network.settings
    samples = torch.zeros(1, s.n_samples, s.n_inputs)
    with quiet(), torch.no_grad():
        program = torch.onnx.export(
            network,
            (samples,),
            input_names=["samples"],
            output_names=["scores"],
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise ExportError("the exporter gave no program, must give one graph")
    exported = Exported(
        data=program.model_proto.SerializeToString(),
        file=ModelFile(
            input=Tensor(name="samples", shape=tuple(samples.shape)),
            output=Tensor(name="scores", shape=(1, 1, s.n_symbols)),
        ),
    )
    check_parity(network, exported)
    return exported


def check_parity(network: Classifier, exported: Exported, *, tolerance: float = PARITY) -> float:
    """Return the largest difference of a probability over random windows.

    Raises:
        ExportError: it is above ``tolerance``.
    """
    import torch

    exact = copy.deepcopy(network).double()
    draw = np.random.default_rng(0).standard_normal
    s = network.settings
    samples = draw((N_PARITY * s.n_samples, s.n_inputs)) * network.scale.numpy()
    samples = samples.astype(np.float32)
    windows = samples.reshape(N_PARITY, s.n_samples, s.n_inputs)
    with torch.no_grad():
        whole = exact(torch.from_numpy(windows).double()).numpy()[:, 0]  # (N, V)
    found = run_calls(exported, samples)  # (N, V)
    # a probability, where there is one symbol that of the stimulus
    difference = float(np.abs(_probability(found) - _probability(whole)).max())
    if not difference <= tolerance:
        raise ExportError(
            f"the exported model: probabilities differ by {difference:.3g} from those of the "
            f"network, must be within {tolerance:g}"
        )
    return difference


def _probability(scores: NDArray[Any]) -> NDArray[np.float64]:
    exact = scores.astype(np.float64)
    return np.asarray(np.exp(exact) if exact.shape[1] > 1 else 1.0 / (1.0 + np.exp(-exact)))
