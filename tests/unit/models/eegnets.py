"""Small EEGNets for the tests."""

from __future__ import annotations

import torch

from models.classifier import Classifier
from models.eegnet import EegNet, EegNetSettings

SHAPE = EegNetSettings(
    n_inputs=3, n_symbols=4, n_samples=50, patch_samples=2, n_temporal=2, n_pointwise=4,
    kernel_samples=10, pool_samples=4, pool_again=3,
)  # fmt: skip


def network_of(shape: EegNetSettings) -> Classifier:
    network = EegNet(shape).eval()
    draw = torch.Generator().manual_seed(0)
    for module in network.modules():  # as if it had been trained: fresh statistics do nothing
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(generator=draw)
            module.running_var.uniform_(0.5, 2.0, generator=draw)
    network.scale.copy_(torch.tensor([1.0, 20.0, 300.0])[: shape.n_inputs])
    return network
