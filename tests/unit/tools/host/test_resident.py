from __future__ import annotations

import mmap

from tools.host import resident

SIZE = 1 << 26


def test_the_peak_tells_of_what_was_there_and_is_gone() -> None:
    assert resident.reset_peak()
    before = resident.resident_bytes()
    held = mmap.mmap(-1, SIZE)  # asked of the system: malloc may hand out what it holds already
    for start in range(0, SIZE, mmap.PAGESIZE):
        held[start] = 1
    held.close()
    peak = resident.peak_bytes()
    assert peak is not None
    assert peak >= before + SIZE // 2
    assert resident.resident_bytes() < peak - SIZE // 2
