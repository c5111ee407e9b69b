from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from models.gru_ctc import GruCtcSettings, build
from pipeline.errors import RecordingError, UsageError
from runtime.simulation.synthesis import SynthesisSettings
from tests.simulated_spec import simulated_spec
from tools.training import checkpoint
from tools.training.data.example import Example
from tools.training.data.examples import UNKNOWN, Batch, RecordedExamples, collate
from tools.training.learner import CtcLearner, CtcLearnerSettings
from tools.training.loop import train
from tools.training.train_settings import TrainSettings

if TYPE_CHECKING:
    from pathlib import Path

SHAPE = GruCtcSettings(
    n_inputs=2, n_symbols=3, patch_samples=5, kernel_samples=10, n_features=4, features="power",
    n_hidden=6, n_layers=2, dropout=0.2,
)  # fmt: skip
SETTINGS = TrainSettings(n_steps=7, checkpoint_every=3)


class Noise:
    """Batches that depend on the step alone; counts how many were made."""

    n_batch = 2

    def __init__(self, *, killed_at: int | None = None) -> None:
        self.killed_at = killed_at

    def batch(self, step: int, *, progress: float, rows: slice | None = None) -> Batch:
        if step == self.killed_at:
            raise KeyboardInterrupt
        rng = np.random.default_rng(step)
        samples = rng.standard_normal((40, 2)).astype(np.float32)
        on = rng.integers(0, 3, 40)
        rows_of_it = [Example(samples, (1, 2), on), Example(samples[:30], ())]
        return collate(rows_of_it[rows or slice(None)], patch_samples=5)


def learner_of(shape: GruCtcSettings) -> CtcLearner:
    return CtcLearner(build(shape), CtcLearnerSettings(timing_delay_frames=1), seed=0)


def weights(folder: Path, examples: Noise) -> dict[str, torch.Tensor]:
    learner = learner_of(SHAPE)
    train(learner, examples, SETTINGS, folder=folder, identity="noise")
    return dict(learner.network.state_dict())


@pytest.mark.parametrize("killed_at", [1, 3, 5])
def test_a_killed_training_ends_with_the_same_weights(tmp_path: Path, killed_at: int) -> None:
    whole = weights(tmp_path / "whole", Noise())
    with pytest.raises(KeyboardInterrupt):
        weights(tmp_path / "killed", Noise(killed_at=killed_at))
    resumed = weights(tmp_path / "killed", Noise())
    for name, tensor in whole.items():
        torch.testing.assert_close(resumed[name], tensor, atol=0, rtol=0)


def test_a_finished_training_takes_no_further_step(tmp_path: Path) -> None:
    done = weights(tmp_path, Noise())
    again = weights(tmp_path, Noise(killed_at=0))
    assert all(torch.equal(again[name], tensor) for name, tensor in done.items())


def test_refuses_the_checkpoint_of_another_training(tmp_path: Path) -> None:
    weights(tmp_path, Noise())
    with pytest.raises(UsageError, match="other data or settings"):
        train(learner_of(SHAPE), Noise(), SETTINGS, folder=tmp_path, identity="else")


def test_training_lowers_the_loss(tmp_path: Path) -> None:
    class Same(Noise):
        def batch(self, step: int, *, progress: float, rows: slice | None = None) -> Batch:
            return super().batch(0, progress=progress, rows=rows)

    losses: list[float] = []
    settings = TrainSettings(n_steps=60, rate=1e-2, n_warm_up=1)
    shape = GruCtcSettings(n_inputs=2, n_symbols=3, patch_samples=5, kernel_samples=10, n_hidden=6)
    train(
        learner_of(shape), Same(), settings, folder=tmp_path, identity="one",
        on_rows=lambda rows: losses.extend(row["ctc"] for row in rows),
    )  # fmt: skip
    assert len(losses) == 60
    assert losses[-1] < 0.3 * losses[0]


def test_damaged_checkpoints_are_told_in_one_sentence(tmp_path: Path) -> None:
    weights(tmp_path, Noise())
    (tensors,) = tmp_path.glob("*.safetensors")
    tensors.write_bytes(tensors.read_bytes()[:50])
    with pytest.raises(RecordingError, match=tensors.name):
        checkpoint.load(tmp_path)
    (tmp_path / checkpoint.COUNTERS).write_text("{")
    with pytest.raises(RecordingError, match=checkpoint.COUNTERS):
        checkpoint.load(tmp_path)


def test_only_the_newest_checkpoint_is_kept_and_can_be_removed(tmp_path: Path) -> None:
    folder = tmp_path / "training"
    weights(folder, Noise())
    assert sorted(p.name for p in folder.iterdir()) == [
        "counters.json", "metrics.jsonl", "step-000007.safetensors"
    ]  # fmt: skip
    checkpoint.remove(folder)
    assert not folder.exists()


def test_collate_cuts_to_whole_patches_and_says_how_long_each_is() -> None:
    samples = np.arange(26, dtype=np.float32).reshape(13, 2)
    on = np.arange(13)
    batch = collate([Example(samples, (2,), on), Example(samples[:9], (1, 1))], patch_samples=4)
    assert batch.n_frames.tolist() == [3, 2]
    assert batch.n_labels.tolist() == [1, 2]
    assert batch.labels.tolist() == [2, 1, 1]
    assert batch.samples.shape == (2, 12, 2)
    np.testing.assert_array_equal(batch.samples[1, :8], samples[:8])
    assert not batch.samples[1, 8:].any()
    assert batch.on.tolist() == [[3, 7, 11], [UNKNOWN] * 3]


def test_every_recorded_example_comes_once_an_epoch() -> None:
    examples = [Example(np.full((4, 1), k, np.float32), (k,)) for k in range(6)]
    source = RecordedExamples(examples, patch_samples=2, n_batch=2, seed=3)
    epochs = [
        [int(v) for step in range(3 * e, 3 * e + 3) for v in source.batch(step, progress=0).labels]
        for e in range(2)
    ]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(6))
    assert epochs[0] != epochs[1]


def test_simulated_examples_are_a_function_of_the_step() -> None:
    from tools.training.data.examples import SimulatedExamples

    spec = simulated_spec()
    source = SimulatedExamples(spec, ("hello there",), SynthesisSettings(), 20, 12, seed=4)
    one, again, other = (source.batch(step, progress=0.9) for step in (5, 5, 6))
    np.testing.assert_array_equal(one.samples, again.samples)
    assert one.labels.tolist() == again.labels.tolist() != other.labels.tolist()
    assert (one.n_labels == 0).any() or (other.n_labels == 0).any(), "sessions of rest alone"
    assert source.snr_db(0.0) == 3.0
    assert source.snr_db(1.0) == SynthesisSettings().snr_db
    easy = dataclasses.replace(source, settings=SynthesisSettings(snr_db=9.0))
    assert easy.snr_db(0.0) == 9.0


def test_half_precision_learns_nearly_the_same(tmp_path: Path) -> None:
    whole = weights(tmp_path / "32", Noise())
    learner = learner_of(SHAPE)
    settings = TrainSettings(n_steps=7, checkpoint_every=3, precision="bf16-mixed")
    train(learner, Noise(), settings, folder=tmp_path / "16", identity="noise")
    for name, tensor in learner.network.state_dict().items():
        assert tensor.dtype == torch.float32
        torch.testing.assert_close(tensor, whole[name], atol=0.03, rtol=0)
    assert any(
        not torch.equal(tensor, whole[name])
        for name, tensor in learner.network.state_dict().items()
    )
