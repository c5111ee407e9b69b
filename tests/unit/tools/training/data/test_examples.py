from __future__ import annotations

import numpy as np

from runtime.simulation.synthesis import SynthesisSettings
from tests.simulated_spec import simulated_spec
from tools.training.data.augment import Augmentation
from tools.training.data.example import Example
from tools.training.data.examples import RecordedExamples, SimulatedExamples


def lengths_of_batches(lengths: list[int], *, n_batch: int, epoch: int = 0) -> list[list[int]]:
    examples = [Example(np.zeros((n, 1), np.float32), ()) for n in lengths]
    source = RecordedExamples(examples, patch_samples=1, n_batch=n_batch, seed=1)
    steps = range(epoch * source.steps_per_epoch, (epoch + 1) * source.steps_per_epoch)
    return [source.batch(step, progress=0.0).n_frames.tolist() for step in steps]


def test_batches_are_of_similar_length_and_waste_little() -> None:
    lengths = np.random.default_rng(0).integers(50, 2000, 512).tolist()
    batches = lengths_of_batches(lengths, n_batch=16)
    assert sorted(n for batch in batches for n in batch) == sorted(lengths)
    padded = sum(max(batch) * len(batch) for batch in batches)
    assert padded / sum(lengths) < 1.06
    shuffled = np.random.default_rng(1).permutation(lengths).reshape(-1, 16)
    assert 16 * shuffled.max(axis=1).sum() / sum(lengths) > 1.7, "what no sorting would waste"


def test_batches_of_an_epoch_are_not_in_order_of_length() -> None:
    lengths = list(range(1, 513))
    means = [[np.mean(b) for b in lengths_of_batches(lengths, n_batch=8, epoch=e)] for e in (0, 1)]
    for own in means:
        assert abs(np.corrcoef(own, range(len(own)))[0, 1]) < 0.4
    assert means[0] != means[1]


def test_few_examples_and_a_large_batch() -> None:
    assert [len(batch) for batch in lengths_of_batches([5, 6, 7], n_batch=16)] == [3]
    seen = {
        n for e in range(20) for b in lengths_of_batches([5, 6, 7], n_batch=2, epoch=e) for n in b
    }
    assert seen == {5, 6, 7}, "what is left out differs from epoch to epoch"


def test_simulated_examples_may_be_changed_and_say_where_rest_is() -> None:
    spec = simulated_spec()
    plain, changed = (
        SimulatedExamples(
            spec, ("hello there",), SynthesisSettings(), 20, 4, seed=4, augmentation=augmentation
        )
        for augmentation in (Augmentation(), Augmentation(shift_s=0.2, mix=0.4, drop=0.2))
    )
    for row in range(3):
        one, other = (s.example(3, row, progress=0.9) for s in (plain, changed))
        assert one.labels == other.labels
        assert one.samples.shape == other.samples.shape
        assert not np.array_equal(one.samples, other.samples)
        assert one.on is not None
        if one.labels:
            typed = np.flatnonzero(one.on)
            assert one.rest == (typed[0], len(one.on) - 1 - typed[-1])
        again = changed.example(3, row, progress=0.9)
        np.testing.assert_array_equal(other.samples, again.samples)
    batch = changed.batch(3, progress=0.9)
    np.testing.assert_array_equal(
        batch.samples[2, : 20 * batch.n_frames[2]],
        changed.example(3, 2, progress=0.9).samples[: 20 * batch.n_frames[2]],
    )
