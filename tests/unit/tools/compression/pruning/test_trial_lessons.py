"""A classifier goes on learning on what it learnt from, and is judged on what it did not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.bundle import load_bundle
from models.eegnet import EegNet, EegNetSettings
from models.weights import unpack
from pipeline.errors import RecordingError, UsageError
from tests.ssvep_recordings import SYMBOLS, write_layout, write_session
from tests.unit.tools.training.p300_session import write_p300_layout, write_p300_session
from tools.compression.pruning.asked import recipe_of
from tools.compression.pruning.trial_lessons import OnwardLearner, TrialLessons, windows_of
from tools.recordings.layout import read_layout
from tools.training.classifier.course import TrialCourse, read_trials, train_trials
from tools.training.classifier.learner import ClassifierSettings, TrialBatch
from tools.training.data.trial_windows import TrialWindows
from tools.training.recipe import read_recipe

if TYPE_CHECKING:
    from pathlib import Path

    from models.bundle import Bundle

SMALL = {
    "training.n_steps": 2, "network.patch_s": 0.02, "network.pool_s": 0.06, "network.pool_again": 2,
    "network.n_temporal": 2, "network.n_pointwise": 4, "data.n_batch": 8, "signal.line_hz": 40.0,
}  # fmt: skip


def learner_of(n_symbols: int, *, seed: int, teacher: Any = None) -> OnwardLearner:
    torch.manual_seed(seed)
    network = EegNet(EegNetSettings(n_inputs=2, n_symbols=n_symbols, n_samples=64))
    samples = np.random.default_rng(0).standard_normal((6, 64, 2)).astype(np.float32)
    numbers = np.arange(6)
    windows = TrialWindows(samples, numbers % 2, numbers, 0 * numbers)
    scale = torch.tensor([3.0, 4.0])
    made = OnwardLearner(
        network, ClassifierSettings(), windows=windows, scale=scale, teacher=teacher
    )
    return made.eval()


def batch() -> TrialBatch:
    samples = np.random.default_rng(1).standard_normal((4, 64, 2)).astype(np.float32)
    return TrialBatch(samples, np.array([0, 1, 0, 1]))


@pytest.mark.parametrize("n_symbols", [1, 3])
def test_the_scale_stays_the_original_s_and_its_weights_are_not_learnt(n_symbols: int) -> None:
    teacher = learner_of(n_symbols, seed=1).network
    pupil = learner_of(n_symbols, seed=2, teacher=teacher)
    assert pupil.network.scale.tolist() == [3.0, 4.0]
    assert len(list(pupil.parameters())) == len(list(pupil.network.parameters()))


@pytest.mark.parametrize("n_symbols", [1, 3])
def test_who_says_what_the_teacher_says_has_nothing_to_learn_of_it(n_symbols: int) -> None:
    teacher = learner_of(n_symbols, seed=1).network
    plain, same = learner_of(n_symbols, seed=1), learner_of(n_symbols, seed=1, teacher=teacher)
    torch.testing.assert_close(same.loss(batch(), progress=0.5), plain.loss(batch(), progress=0.5))
    assert float(same.parts["teacher"]) == pytest.approx(0.0, abs=1e-6)


@settings(deadline=None)
@given(n_symbols=st.sampled_from([1, 3]), seed=st.integers(2, 20))
def test_who_differs_from_the_teacher_is_further_away(n_symbols: int, seed: int) -> None:
    pupil = learner_of(n_symbols, seed=seed, teacher=learner_of(n_symbols, seed=1).network)
    pupil.loss(batch(), progress=0.5)
    assert float(pupil.parts["teacher"]) > 0.0


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], Bundle, Path]:
    """Three sessions, and a bundle that has learnt from the first two."""
    folder = tmp_path_factory.mktemp("sessions")
    paths = [write_session(folder / f"{k}.npy", seed=k, n_repeats=2) for k in (1, 2, 3)]
    layout, out = write_layout(folder / "keys.layout"), folder / "b.eegb"
    recipe = read_recipe("eegnet-ssvep", SMALL)
    train_trials(TrialCourse(recipe, tuple(paths[:2]), layout, out))
    return paths, load_bundle(out), out


def lessons_of(sessions: tuple[list[Path], Bundle, Path], *numbers: int) -> TrialLessons:
    paths, bundle, out = sessions
    network = unpack(bundle)
    return TrialLessons(
        out, bundle, recipe_of(bundle, network), network, [paths[number] for number in numbers]
    )


def test_recordings_are_told_apart_by_what_the_bundle_learnt_from(
    sessions: tuple[list[Path], Bundle, Path],
) -> None:
    lessons = lessons_of(sessions, 2, 1, 0)
    assert list(lessons.data) == ["2.npy", "1.npy"]
    exam = lessons.ground(n_texts=None).exam()
    assert (exam.unit, exam.n_texts) == ("selections", 2 * len(SYMBOLS))
    assert lessons.ground(n_texts=3).exam().n_texts == 3
    assert lessons.notes(n_texts=None) == (
        "Fine-tuned on 2.npy, 1.npy; errors are of 3.npy, never learnt from.",
    )
    validation = lessons.validation
    assert validation is not None
    held, wanted = validation.batch(0, progress=1.0), windows_of([sessions[0][2]], spec(sessions))
    assert all(any(np.array_equal(one, w) for w in wanted[0].samples) for one in held.samples)


def spec(sessions: tuple[list[Path], Bundle, Path]) -> Any:
    return sessions[1].manifest.pipeline


def test_nothing_learnt_nothing_new_and_no_recordings_are_refused(
    sessions: tuple[list[Path], Bundle, Path],
) -> None:
    with pytest.raises(RecordingError, match=r"3.npy: b has learnt from none .* 1.npy, 2.npy"):
        lessons_of(sessions, 2)
    with pytest.raises(RecordingError, match="has learnt from all of them, wanted a labelled"):
        lessons_of(sessions, 0, 1).ground(n_texts=None)
    with pytest.raises(UsageError, match="b: was trained on recordings, wanted recordings"):
        lessons_of(sessions)


@pytest.mark.parametrize("kind", ["ssvep", "p300"])
def test_windows_are_those_of_the_training_without_its_layout(tmp_path: Path, kind: str) -> None:
    if kind == "ssvep":
        changes = {"stimulus": "9", "response_delay_s": 0.1}
        paths = [write_session(tmp_path / "a.npy", seed=1, n_repeats=1, stimulus="9")]
        layout = write_layout(tmp_path / "l", **changes)
    else:
        paths = [write_p300_session(tmp_path / "a.npy", text="AD", n_rounds=2)]
        layout = write_p300_layout(tmp_path / "l")
    recipe = read_recipe(f"eegnet-{kind}", {"signal.line_hz": 40.0})
    pipeline, wanted = read_trials(paths, read_layout(layout), recipe)
    found, is_simulated = windows_of(paths, pipeline)
    assert not is_simulated
    np.testing.assert_array_equal(found.samples, wanted.samples)
    np.testing.assert_array_equal(found.labels, wanted.labels)
    assert found.groups == wanted.groups
