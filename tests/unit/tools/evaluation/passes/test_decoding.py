from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.values import Text
from runtime.engine import Engine, open_engine
from tests.bundles import make_bundle, pulses
from tests.recordings import noise, trial_markers
from tests.reels import reel
from tools.evaluation.passes.decoding import _Texts, decode, place
from tools.evaluation.passes.reel import Item
from tools.evaluation.passes.speed import Speed
from tools.training.transcribe import finals, transcript_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    path = tmp_path_factory.mktemp("w") / "b"
    make_bundle(path, head="ctc")
    return open_engine(path)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    path = tmp_path_factory.mktemp("r") / "b"
    make_bundle(path, head="seq2seq")
    return open_engine(path)


@pytest.fixture(scope="module")
def speller(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    path = tmp_path_factory.mktemp("s") / "b"
    make_bundle(path, head="selection")
    return open_engine(path)


def trials(markers: list[tuple[int, str]], n_samples: int) -> list[Item]:
    starts = [at for at, text in markers if text == "trial:start"] + [n_samples]
    labels = [text.partition(":")[2] for _, text in markers if text.startswith("label:")]
    return [Item(k, label, starts[k], starts[k + 1]) for k, label in enumerate(labels)]


ITEMS = (Item(0, "a", 100, 200), Item(1, "b", 300, 400), Item(2, "c", 400, 500))


@pytest.mark.parametrize(
    ("samples", "wanted"),
    [
        ((110, 120), (0, False)),
        ((190, 230), (0, False)),  # most of it late, and still nothing else is nearer
        ((390, 405), (1, False)),
        ((395, 410), (2, False)),
        ((0, 50), (0, True)),
        ((210, 220), (0, True)),
        ((270, 290), (1, True)),
        ((900, 950), (2, True)),
        ((150, 150), (0, False)),
    ],
)
def test_a_piece_belongs_where_most_of_it_lies_else_to_the_nearest(
    samples: tuple[int, int], wanted: tuple[int, bool]
) -> None:
    assert place(ITEMS, (), samples) == wanted


def test_what_lies_where_nobody_can_tell_belongs_nowhere() -> None:
    assert place(ITEMS, [(600, 1 << 62)], (900, 950)) == (None, True)
    assert place(ITEMS, [(600, 1 << 62)], (410, 420)) == (2, False)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 700), st.integers(0, 90), st.lists(st.integers(0, 700), max_size=3))
def test_every_piece_is_counted_once(first: int, length: int, lost: list[int]) -> None:
    spans = [(at, at + 20) for at in lost]
    item, is_outside = place(ITEMS, spans, (first, first + length))
    assert item is None or 0 <= item < len(ITEMS)
    assert is_outside == (
        item is None
        or not any(max(first, one.start) < min(first + max(length, 1), one.stop) for one in ITEMS)
    )


def test_all_that_was_written_is_in_a_text_or_told(writer: Engine) -> None:
    samples = noise(4000, seed=3)
    written = transcript_of(finals(writer, samples))
    items = [Item(0, "ab", 300, 1200), Item(1, "ba", 1500, 2500)]
    found = decode(writer, reel(items, samples=samples))
    assert "".join(said.text for said in found.said).replace(" ", "") == written.replace(" ", "")
    assert found.n_outside > 0
    part = decode(writer, reel(items, samples=samples, lost=((2600, 1 << 62),)))
    assert part.n_lost > 0
    n_kept = sum(len(said.text.replace(" ", "")) for said in part.said)
    assert n_kept < len(written.replace(" ", ""))


def test_a_text_is_read_within_its_samples(reader: Engine) -> None:
    samples = pulses("ab", n_samples=2000, start=400)
    found = decode(
        reader, reel([Item(0, "ab", 380, 520), Item(1, "b", 1500, 1600)], samples=samples)
    )
    assert [said.text for said in found.said] == ["ab", ""]
    assert found.n_outside == 0


@pytest.mark.parametrize("step", [1, 7, 333])
def test_chunks_change_nothing(writer: Engine, speller: Engine, step: int) -> None:
    items = [Item(0, "ab", 300, 1200)]
    one = decode(writer, reel(items, step=50))
    assert decode(writer, reel(items, step=step)).said == one.said
    markers = trial_markers(2000)
    given_trials = trials(markers, 2000)
    two = decode(speller, reel(given_trials, markers=markers, step=50))
    assert decode(speller, reel(given_trials, markers=markers, step=step)).said == two.said


def test_a_trial_has_the_posteriors_of_its_decision(speller: Engine) -> None:
    markers = trial_markers(2000)
    items = trials(markers, 2000)
    found = decode(speller, reel(items, markers=markers))
    assert len(found.said) == len(items) == 9
    for item, said in zip(items, found.said, strict=True):
        assert said.posteriors is not None
        assert sum(said.posteriors.values()) == pytest.approx(1.0)
        assert said.text == said.leading == max(said.posteriors, key=said.posteriors.__getitem__)
        assert said.decided_at == item.start + 5 + 25 + 100
    assert found.n_abstained == 0
    assert found.speed.recorded_s == 8.0
    assert len(found.speed.times_ms) == 9


def test_an_abstention_says_what_it_would_have_been(tmp_path: Path) -> None:
    make_bundle(tmp_path / "b", head="selection")
    engine = open_engine(tmp_path / "b", decoder={"abstain_below": "0.5"})
    markers = trial_markers(2000)
    quiet = 0.1 * noise(2000)
    found = decode(engine, reel(trials(markers, 2000), samples=quiet, markers=markers))
    withheld = [said for said in found.said if not said.text]
    assert withheld
    assert found.n_abstained == len(withheld)
    for said in withheld:
        assert said.leading is not None
        assert said.posteriors is not None
        assert said.posteriors[said.leading] < 0.5
        assert said.decided_at is not None


def test_only_chosen_trials_are_decoded(speller: Engine) -> None:
    markers = trial_markers(2000)
    chosen = [item for item in trials(markers, 2000) if item.number in {2, 5}]
    found = decode(speller, reel(chosen, markers=markers), trials=frozenset({2, 5}))
    everything = decode(speller, reel(trials(markers, 2000), markers=markers))
    assert found.said == (everything.said[2], everything.said[5])


def test_other_samples_in_place_of_the_eeg_are_what_is_heard(speller: Engine) -> None:
    markers = trial_markers(2000)
    given_reel = reel(trials(markers, 2000), markers=markers)
    other = noise(2000, seed=5)
    before = given_reel.samples.copy()
    found = decode(speller, given_reel, samples=other)
    assert (
        found.said == decode(speller, reel(given_reel.items, samples=other, markers=markers)).said
    )
    np.testing.assert_array_equal(given_reel.samples, before)


def test_a_trial_that_never_began_says_nothing(speller: Engine) -> None:
    found = decode(speller, reel([Item(7, "A", 10, 20)]))
    assert [(said.text, said.posteriors) for said in found.said] == [("", None)]


def test_text_that_a_person_deletes_leaves_the_row_it_was_in(writer: Engine) -> None:
    texts = _Texts(writer, reel(ITEMS))

    def final(text: str, samples: tuple[int, int], delete: int = 0) -> Text:
        return Text("final", text, tuple(text), samples, delete=delete)

    for piece in (
        final("ab", (110, 120)),
        final("cd", (310, 320)),
        final("e", (330, 340), delete=3),
        final("", (350, 360), delete=9),
        final("f", (410, 420)),
    ):
        texts.hear(piece)
    assert [said.text for said in texts.decoded(Speed(250.0)).said] == ["", "", "f"]
