from __future__ import annotations

import numpy as np

from tools import resident


def test_the_peak_tells_of_what_was_there_and_is_gone() -> None:
    resident.reset_peak()
    before = resident.resident_bytes()
    held = np.ones(1 << 25, dtype=np.uint8)  # 32 MiB, given back to the system at once
    del held
    peak = resident.peak_bytes()
    assert peak is not None
    assert peak >= before + (1 << 24)
    assert resident.resident_bytes() < peak
