from __future__ import annotations

import torch

from tests.unit.tools.training.stacks import RandomRows, healthy
from tools.training.diagnostics.batch_sweep import batch_bytes, kept_bytes, sweep


def test_what_a_forward_pass_keeps_grows_with_the_batch() -> None:
    found = sweep(healthy(), RandomRows(), (4, 1, 2, 2), device=torch.device("cpu"))
    assert [size.n_batch for size in found] == [1, 2, 4]
    kept = [size.activations_mib for size in found]
    assert kept[0] < kept[1] < kept[2]
    assert all(size.ms > 0 and size.peak_mib is None for size in found)


def test_activations_are_counted_to_the_byte() -> None:
    batch = RandomRows().batch(0, progress=0.0)
    # of 14 layers the input of each, which is the output of the tanh before, and at the end the
    # last output and the ones it is compared with
    assert kept_bytes(healthy(), batch) == (1 + 14 + 1) * batch.samples.nbytes
    assert batch_bytes(batch) == 4 * 16 * 4
