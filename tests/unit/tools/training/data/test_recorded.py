from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.filters import FilterChain
from tests.text_recordings import eeg, small_spec, write_array
from tools.training.data.augment import Augmentation
from tools.training.data.cache import FilteredCache
from tools.training.data.corpus import Corpus, read_corpus
from tools.training.data.cuts import cut_corpus
from tools.training.data.recorded import CutExamples, HeldOutTexts, training_examples
from tools.training.data.settings import DataSettings

SPEC = small_spec()


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    one = write_array(tmp_path / "a.npy", [("ab", 1000, 1100), ("c", 1400, 1500)])
    other = write_array(tmp_path / "b.npy", [("b", 300, 450)], seed=1)
    return read_corpus([one, other], DataSettings())


def examples(corpus: Corpus) -> CutExamples:
    cuts = cut_corpus(corpus, margin_s=0.5)
    return CutExamples(corpus, cuts, cache=FilteredCache(corpus.recordings, SPEC), spec=SPEC)


def test_an_example_is_what_the_daemon_would_have_heard(corpus: Corpus) -> None:
    found = examples(corpus)
    filtered = [FilterChain(SPEC).push(eeg(3000, seed=seed)) for seed in (0, 1)]
    assert [e.labels for e in found] == [(1, 2), (3,), (), (), (2,), ()]
    np.testing.assert_array_equal(found[0].samples, filtered[0][950:1150])
    np.testing.assert_array_equal(found[4].samples, filtered[1][250:500])
    assert found[0].rest == (50, 50)
    assert found.lengths == [len(e.samples) for e in found[:]]
    assert len(found) == 6


def test_nothing_is_filtered_before_it_is_needed(corpus: Corpus) -> None:
    found = examples(corpus)
    corpus.recordings[1].path.unlink()
    assert found[0].labels == (1, 2)
    with pytest.raises(Exception, match="b.npy"):
        found[4]


def test_background_is_of_another_recording(corpus: Corpus) -> None:
    found = examples(corpus)
    own = {found[k].samples.tobytes() for k in (2, 3)}
    other = found[5].samples.tobytes()
    for seed in range(5):
        rng = np.random.default_rng(seed)
        assert found.background(0, rng).tobytes() == other
        assert found.background(4, rng).tobytes() in own


def test_batches_are_a_function_of_step_and_rows(corpus: Corpus) -> None:
    augmentation = Augmentation(shift_s=0.2, mix=0.5, noise=0.2, drop=0.3, gain_db=3.0)
    one, again, plain = (
        training_examples(
            examples(corpus), spec=SPEC, patch_samples=8, n_batch=3, seed=7, augmentation=changes
        )
        for changes in (augmentation, augmentation, None)
    )
    for step in (0, 1, 2, 7):
        whole = one.batch(step, progress=0.0)
        np.testing.assert_array_equal(whole.samples, again.batch(step, progress=0.5).samples)
        unchanged = plain.batch(step, progress=0.0)
        assert not np.array_equal(whole.samples, unchanged.samples)
        assert whole.labels.tolist() == unchanged.labels.tolist()
        assert whole.n_frames.tolist() == unchanged.n_frames.tolist()
        part = one.batch(step, progress=0.0, rows=slice(1, None, 2))
        n_samples = part.samples.shape[1]
        np.testing.assert_array_equal(part.samples[0], whole.samples[1, :n_samples])
        assert part.n_labels.tolist() == whole.n_labels[1::2].tolist()


def test_noise_takes_the_place_of_eeg_now_and_then(corpus: Corpus) -> None:
    plain, noisy = (
        training_examples(
            examples(corpus), spec=SPEC, patch_samples=8, n_batch=6, seed=7, noise_chance=chance
        )
        for chance in (0.0, 0.3)
    )
    n_noise = 0
    for step in range(30):
        for row in range(6):
            one, other = (s.example(step, row, progress=0.0) for s in (plain, noisy))
            assert one.samples.shape == other.samples.shape
            if not np.array_equal(one.samples, other.samples):
                assert other.labels == ()
                assert np.isfinite(other.samples).all()
                n_noise += 1
    assert 30 < n_noise < 80


def test_held_out_texts_come_with_raw_samples(corpus: Corpus) -> None:
    held_out = HeldOutTexts(corpus, cut_corpus(corpus, margin_s=0.5)[::-1])
    assert len(held_out) == 3
    texts, samples, sessions = zip(*held_out, strict=True)
    assert texts == ("ab", "c", "b")
    assert sessions[0] == sessions[1] != sessions[2]
    np.testing.assert_array_equal(samples[0], eeg(3000)[950:1150])
    np.testing.assert_array_equal(samples[2], eeg(3000, seed=1)[250:500])
