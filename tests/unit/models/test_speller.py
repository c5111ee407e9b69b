from __future__ import annotations

import numpy as np
import pytest

from models.speller import SpellerFit, SpellerSettings, fit_speller, harmonics_of, log_softmax
from tests.unit.models.ssvep_data import FREQUENCIES_HZ, RATE_HZ, simulate

CHECKPOINTS = (50, 100, 200)


def fitted(*, seed: int = 1, n_repeats: int = 6, amplitude: float = 1.0) -> SpellerFit:
    windows, labels = simulate(n_repeats=n_repeats, seed=seed, amplitude=amplitude)
    return fit_speller(
        windows, labels,
        rate_hz=RATE_HZ, frequencies_hz=FREQUENCIES_HZ, checkpoints_samples=CHECKPOINTS,
    )  # fmt: skip


def test_reads_unseen_trials_and_better_the_longer_it_looks() -> None:
    windows, labels = simulate(n_repeats=20, seed=2)
    right = (fitted().scores(windows).argmax(axis=2) == labels[:, None]).mean(axis=0)
    assert right[-1] > 0.95
    assert right[0] < right[-1]


def test_no_response_reads_at_chance() -> None:
    windows, labels = simulate(n_repeats=50, seed=2, amplitude=0.0)
    right = (fitted(amplitude=0.0).scores(windows)[:, -1].argmax(axis=1) == labels).mean()
    assert 0.09 < right < 0.25  # 1/6 and its 99.9 % band over 300 trials


def test_scores_are_log_probabilities() -> None:
    scores = fitted().scores(simulate(n_repeats=1, seed=3)[0])
    assert scores.shape == (6, 3, 6)
    np.testing.assert_allclose(np.exp(scores).sum(axis=2), 1.0)


@pytest.mark.parametrize("row", range(len(CHECKPOINTS)))
def test_a_row_depends_on_nothing_after_its_checkpoint(row: int) -> None:
    fit = fitted()
    windows, _ = simulate(n_repeats=2, seed=3)
    cut = windows.copy()
    cut[:, CHECKPOINTS[row] :] = 0
    np.testing.assert_array_equal(fit.scores(cut)[:, row], fit.scores(windows)[:, row])


def test_offsets_and_drift_of_a_channel_change_nothing() -> None:
    fit = fitted()
    windows, _ = simulate(n_repeats=2, seed=3)
    moved = windows.astype(np.float64) + np.array([0, 4096, -1024, 0, 65536])
    np.testing.assert_allclose(fit.scores(moved), fit.scores(windows), atol=1e-9)


def test_one_artefact_sample_cannot_outvote_a_window() -> None:
    fit = fitted()
    windows, labels = simulate(n_repeats=10, seed=4)
    windows[:, 90, 2] += 5000
    assert (fit.scores(windows)[:, -1].argmax(axis=1) == labels).mean() > 0.9


def test_a_dead_channel_and_a_doubled_one_are_harmless() -> None:
    windows, labels = simulate(n_repeats=6, seed=1)
    unseen, truth = simulate(n_repeats=10, seed=5)
    odd = [np.concatenate([w, w[..., :1], 0 * w[..., :1]], axis=2) for w in (windows, unseen)]
    fit = fit_speller(
        odd[0], labels,
        rate_hz=RATE_HZ, frequencies_hz=FREQUENCIES_HZ, checkpoints_samples=CHECKPOINTS,
    )  # fmt: skip
    assert np.isfinite(fit.templates).all()
    assert (fit.scores(odd[1])[:, -1].argmax(axis=1) == truth).mean() > 0.95


def test_a_fast_recording_is_averaged_to_about_the_step_rate() -> None:
    windows, labels = simulate(n_repeats=6, seed=1, rate_hz=1000.0, n_samples=803)
    fit = fit_speller(
        windows, labels,
        rate_hz=1000.0, frequencies_hz=FREQUENCIES_HZ, checkpoints_samples=(401, 803),
    )  # fmt: skip
    assert fit.whitening.stride == 3
    assert fit.checkpoints_steps == (
        401 // 3 - fit.whitening.n_lost,
        803 // 3 - fit.whitening.n_lost,
    )
    assert (fit.scores(windows)[:, -1].argmax(axis=1) == labels).mean() > 0.9


def test_every_symbol_needs_a_trial() -> None:
    windows, labels = simulate(n_repeats=2, seed=1)
    with pytest.raises(ValueError, match=r"trials per symbol \[2, 2, 2, 2, 2, 0\]"):
        fit_speller(
            windows[labels != 5], labels[labels != 5],
            rate_hz=RATE_HZ, frequencies_hz=FREQUENCIES_HZ, checkpoints_samples=CHECKPOINTS,
        )  # fmt: skip


def test_a_checkpoint_shorter_than_the_filter_is_refused() -> None:
    windows, labels = simulate(n_repeats=2, seed=1)
    with pytest.raises(ValueError, match="checkpoints_samples: got 8"):
        fit_speller(
            windows, labels,
            rate_hz=RATE_HZ, frequencies_hz=FREQUENCIES_HZ, checkpoints_samples=(8, 200),
        )  # fmt: skip


def test_harmonics_avoid_the_mains_but_never_lose_the_fundamental() -> None:
    settings = SpellerSettings()
    used = harmonics_of(10.0, settings, step_hz=300.0)
    np.testing.assert_array_equal(used, [10, 20, 30, 40, np.nan])
    assert harmonics_of(50.0, settings, step_hz=300.0)[0] == 50.0
    assert np.isnan(harmonics_of(25.0, settings, step_hz=70.0)[1])


def test_inputs_are_not_modified() -> None:
    windows, labels = simulate(n_repeats=2, seed=1)
    before = windows.copy()
    fit = fit_speller(
        windows, labels,
        rate_hz=RATE_HZ, frequencies_hz=FREQUENCIES_HZ, checkpoints_samples=CHECKPOINTS,
    )  # fmt: skip
    fit.scores(windows)
    np.testing.assert_array_equal(windows, before)


def test_log_softmax_survives_large_scores() -> None:
    np.testing.assert_allclose(log_softmax(np.array([1e4, 1e4])), np.log([0.5, 0.5]))
