from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from models.families import build
from models.seq2seq import Seq2SeqNetwork, place_of
from tools.training.data.examples import UNKNOWN
from tools.training.data.windows import Window, WindowBatch, collate_windows
from tools.training.seq2seq_learner import Seq2SeqLearner, Seq2SeqLearnerSettings, guide_loss

COMMON = {"n_inputs": 2, "n_symbols": 4, "patch_samples": 5, "kernel_samples": 10, "n_features": 8,
          "max_symbols": 6}  # fmt: skip
SHAPES: dict[str, dict[str, Any]] = {
    "recurrent": {**COMMON, "n_units": 8, "n_decoder": 12, "n_keys": 8},
    "transformer": {**COMMON, "n_width": 16, "n_heads": 2, "n_inner": 16, "n_layers": 1},
}
UNDISTURBED = Seq2SeqLearnerSettings(swap_chance=0.0, place_noise_frames=0.0)


def learner_of(
    family: str, settings: Seq2SeqLearnerSettings | None = None
) -> tuple[Seq2SeqLearner, Seq2SeqNetwork]:
    network: Any = build(family, SHAPES[family], seed=1)
    return Seq2SeqLearner(network, settings, seed=1), network


def toy(rng: np.random.Generator, *, n_frames: int = 12, timed: bool = True) -> Window:
    """Return a window in which symbol k is a loud burst of a rhythm of its own."""
    samples = 0.1 * rng.standard_normal((5 * n_frames, 2))
    labels = tuple(int(label) for label in rng.integers(1, 4, 3))
    spans, on = [], np.zeros(n_frames, np.int64)
    for k, label in enumerate(labels):
        first, stop = 1 + 3 * k, 3 + 3 * k
        time = np.arange(5 * (stop - first))
        samples[5 * first : 5 * stop] += 4 * np.sin(0.25 * label * time)[:, None]
        spans.append((first, stop))
        on[first:stop] = label
    if not timed:
        return Window(samples.astype(np.float32), labels)
    return Window(samples.astype(np.float32), labels, np.array(spans), on)


def batch_of(*, n: int = 8, timed: bool = True) -> WindowBatch:
    rng = np.random.default_rng(0)
    return collate_windows([toy(rng, timed=timed) for _ in range(n)], patch_samples=5)


@pytest.mark.parametrize("timed", [True, False], ids=["timed", "text alone"])
@pytest.mark.parametrize("family", SHAPES)
def test_a_learner_lowers_its_loss(family: str, timed: bool) -> None:  # noqa: FBT001 - a case
    torch.manual_seed(0)
    learner, _ = learner_of(family, Seq2SeqLearnerSettings())
    optimiser = torch.optim.Adam(learner.parameters(), lr=1e-2)
    batch = batch_of(timed=timed)
    losses = []
    for _ in range(25):
        loss = learner.loss(batch, progress=0.0)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(float(loss.detach()))
    assert min(losses[-5:]) < 0.7 * losses[0]


@pytest.mark.parametrize("timed", [True, False], ids=["timed", "text alone"])
@pytest.mark.parametrize("family", SHAPES)
def test_the_loss_is_the_mean_over_rows_of_what_each_gives_alone(
    family: str,
    timed: bool,  # noqa: FBT001 - a case
) -> None:
    learner, _ = learner_of(family, UNDISTURBED)
    rng = np.random.default_rng(0)
    silence = np.ones((50, 2), np.float32)
    rest = Window(silence, (), np.zeros((0, 2), np.int64), np.zeros(10, np.int64))
    rows = [toy(rng, timed=timed), toy(rng, n_frames=15, timed=timed)]
    rows.append(rest if timed else Window(silence, ()))
    whole = learner.loss(collate_windows(rows, patch_samples=5), progress=0.0)
    alone = [learner.loss(collate_windows([r], patch_samples=5), progress=0.0) for r in rows]
    torch.testing.assert_close(whole, torch.stack(alone).mean(), atol=1e-4, rtol=0)
    assert set(learner.parts) == {"text", "timing", "guide"} | (set() if timed else {"ctc"})


def test_without_timing_neither_frames_nor_attention_are_taught() -> None:
    learner, network = learner_of("recurrent", UNDISTURBED)
    learner.loss(batch_of(timed=False), progress=0.0)
    assert learner.parts["timing"] == learner.parts["guide"] == 0.0
    assert learner.parts["text"] > 0.0
    assert learner.parts["ctc"] > 0.0
    learner.loss(batch_of(timed=True), progress=0.0)
    assert "ctc" not in learner.parts
    assert learner.parts["timing"] > 0.0
    assert learner.parts["guide"] > 0.0
    assert learner.network is network


def test_attention_is_led_to_the_frames_of_its_symbol() -> None:
    attention = torch.tensor([[[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]]])
    spans = torch.tensor([[[0, 2], [0, 0]]])
    expected = -torch.log(torch.tensor(0.8))
    torch.testing.assert_close(guide_loss(attention, spans), expected, atol=1e-5, rtol=0)
    assert guide_loss(attention, torch.zeros(1, 2, 2, dtype=torch.int64)) == 0.0


def test_what_stands_before_a_symbol_is_swapped_as_often_as_asked() -> None:
    learner, _ = learner_of("recurrent", Seq2SeqLearnerSettings(swap_chance=0.0))
    labels = torch.tensor([[3, 1, 0], [2, 0, UNKNOWN]])
    assert learner._text_so_far(labels).tolist() == [[0, 3, 1], [0, 2, 0]]
    learner, _ = learner_of("recurrent", Seq2SeqLearnerSettings(swap_chance=1.0))
    before = torch.stack([learner._text_so_far(labels) for _ in range(50)])
    assert not before[:, :, 0].any(), "the start is never swapped"
    assert set(before[:, 0, 1].tolist()) == {1, 2, 3}


def test_numbers_out_of_range_are_refused_by_name() -> None:
    for name, value in (("smoothing", 1.5), ("guide_weight", -1.0), ("timing_weight", np.nan)):
        with pytest.raises(ValueError, match=f"{name}: got"):
            Seq2SeqLearnerSettings(**{name: value})


@pytest.mark.parametrize("family", SHAPES)
def test_places_are_the_middles_of_spans_and_later_those_of_attention(family: str) -> None:
    learner, network = learner_of(
        family, Seq2SeqLearnerSettings(place_noise_frames=0.0, own_places=1.0, own_places_from=0.5)
    )
    batch = batch_of(n=3)
    spans, labels = torch.from_numpy(batch.spans), torch.from_numpy(batch.labels)
    with torch.no_grad():
        memory = network.encode(torch.from_numpy(batch.samples))
        before = learner._text_so_far(labels)
        known = learner._places(spans, memory, before, progress=0.0)
        assert known[0, 1:].tolist() == [1.5, 4.5, 7.5]
        own = learner._places(spans, memory, before, progress=0.9)
        _, attention = network.decode(memory, before, known)
    torch.testing.assert_close(own[:, 1:], place_of(attention)[:, :-1, 0])
    assert not torch.equal(own, known)
