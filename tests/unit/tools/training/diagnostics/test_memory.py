from __future__ import annotations

import numpy as np
import torch

from tools.training.diagnostics import memory

CPU = torch.device("cpu")


def test_the_peak_tells_of_what_was_there_and_is_gone() -> None:
    memory.reset_peak(CPU)
    before = memory.resident_bytes(CPU)
    held = np.ones(1 << 25, dtype=np.uint8)  # 32 MiB, given back to the system at once
    del held
    peak = memory.peak_bytes(CPU)
    assert peak is not None
    assert peak >= before + (1 << 24)
    assert memory.resident_bytes(CPU) < peak
