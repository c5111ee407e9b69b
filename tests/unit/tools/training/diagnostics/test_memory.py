from __future__ import annotations

import torch

from tools.host import resident
from tools.training.diagnostics import memory

CPU = torch.device("cpu")


def test_without_a_gpu_it_is_the_process_that_is_measured() -> None:
    memory.reset_peak(CPU)
    peak, own = memory.peak_bytes(CPU), resident.peak_bytes()
    assert peak is not None
    assert own is not None
    assert 0 < memory.resident_bytes(CPU) <= 1.1 * peak
    assert abs(own - peak) < 1e7
