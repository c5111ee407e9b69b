from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.selection import SelectionStream, wolpaw_bits
from pipeline.spec import EventWindow, PipelineSpec, SelectionDecoder
from pipeline.values import Event, Marker, Output, Text
from tests.bundles import selection_spec

FLASHES = {
    "top": ("A", "B"),
    "bottom": (" ", "<backspace>"),
    "left": ("A", " "),
    "right": ("B", "<backspace>"),
}


def spec(**decoder: object) -> PipelineSpec:
    return selection_spec(decoder=SelectionDecoder(**decoder))  # type: ignore[arg-type]


def flashing(**decoder: object) -> PipelineSpec:
    return msgspec.structs.replace(
        selection_spec(),
        window=EventWindow(offset_samples=0, length_samples=100, checkpoints_samples=(100,)),
        decoder=SelectionDecoder(scores="stimulus", **decoder),  # type: ignore[arg-type]
        groups=FLASHES,
    )


class Rig:
    """Drives a stream as the chain does: windows at their time, then markers known there."""

    def __init__(
        self, pipeline: PipelineSpec, scores: dict[int, list[float]], **options: object
    ) -> None:
        self.stream = SelectionStream(pipeline, **options)  # type: ignore[arg-type]
        self.scores = scores
        self.outputs: list[Output] = []
        self.looks: list[tuple[int, int]] = []

    def run(
        self, markers: list[Marker], n_samples: int, tainted: frozenset[int] = frozenset()
    ) -> list[Output]:
        for position in range(n_samples + 1):
            self._decode(position, tainted)
            for marker in [m for m in markers if m.known_at == position]:
                self.outputs += self.stream.mark(marker.text, marker)
                self._decode(position, tainted)
        return self.outputs

    def _decode(self, position: int, tainted: frozenset[int]) -> None:
        while (look := self.stream.next_look(position)) is not None:
            assert position == look.ready_at
            self.looks.append((look.onset, look.length))
            row = np.array(self.scores[look.onset], dtype=np.float32)
            n_rows = len(self.stream._window.checkpoints_samples)
            scale = np.array([(k + 1) / n_rows for k in range(n_rows)], dtype=np.float32)
            output = scale[:, np.newaxis] * row
            self.outputs += self.stream.score(look, output, tainted=look.onset in tainted)


def at(text: str, index: int, known_at: int | None = None) -> Marker:
    return Marker(text, index, index if known_at is None else known_at)


def finals(outputs: list[Output]) -> list[Text]:
    return [o for o in outputs if isinstance(o, Text) and o.kind == "final"]


def events(outputs: list[Output]) -> list[Event]:
    return [o for o in outputs if isinstance(o, Event)]


def test_one_stimulus_decides_when_its_window_is_in() -> None:
    rig = Rig(spec(max_stimuli=1), {10: [0.0, 3.0, 0.0, 0.0]})
    outputs = rig.run([at("trial:start", 10), at("stim:on", 10), at("trial:end", 180)], 300)
    (final,) = finals(outputs)
    assert (final.text, final.symbols, final.samples, final.delete) == ("B", ("B",), (35, 135), 0)
    assert final.raw_confidence == pytest.approx(math.exp(3) / (math.exp(3) + 3))
    assert final.nbest[0].text == "B"
    assert rig.looks == [(10, 100)]
    assert (rig.stream.n_windows_due, rig.stream.n_windows_done, rig.stream.n_windows_pending) == (
        1,
        1,
        0,
    )


def test_a_posterior_over_the_threshold_commits_early() -> None:
    rig = Rig(spec(max_stimuli=1, threshold=0.6), {10: [0.0, 6.0, 0.0, 0.0]})
    (final,) = finals(rig.run([at("trial:start", 10), at("stim:on", 10)], 300))
    assert final.samples == (35, 85)
    assert rig.looks == [(10, 50)]
    assert rig.stream.n_windows_pending == 0


def test_max_s_takes_a_shorter_window_and_says_when_none_is_left() -> None:
    rig = Rig(spec(max_stimuli=1, max_s=0.3), {10: [0.0, 6.0, 0.0, 0.0]})
    (final,) = finals(rig.run([at("trial:start", 10), at("stim:on", 10)], 300))
    assert final.samples == (35, 85)
    with pytest.raises(ValueError, match="decoder.max_s: got 0.1 s, wanted at least"):
        SelectionStream(spec(max_s=0.1))


def test_a_backspace_deletes_and_appends_nothing() -> None:
    rig = Rig(spec(max_stimuli=1), {0: [0.0, 0.0, 0.0, 9.0]})
    (final,) = finals(rig.run([at("trial:start", 0), at("stim:on", 0)], 200))
    assert (final.text, final.delete, final.symbols) == ("", 1, ("<backspace>",))


def test_an_unsure_trial_abstains_and_names_the_best_symbol() -> None:
    rig = Rig(spec(max_stimuli=1, abstain_below=0.9), {0: [0.1, 0.0, 0.0, 0.0]})
    outputs = rig.run([at("trial:start", 0), at("stim:on", 0)], 200)
    assert not finals(outputs)
    (event,) = events(outputs)
    assert event.kind == "abstained"
    assert event.figures["symbol"] == "A"
    assert event.figures["posterior"] == pytest.approx(0.269, abs=0.01)


def test_a_tainted_window_is_no_evidence() -> None:
    rig = Rig(spec(max_stimuli=1), {0: [0.0, 9.0, 0.0, 0.0]})
    outputs = rig.run([at("trial:start", 0), at("stim:on", 0)], 200, tainted=frozenset({0}))
    assert not finals(outputs)
    assert events(outputs)[0].figures["reason"] == "tainted"


def flash_markers(order: list[str], first: int = 20, step: int = 30) -> list[Marker]:
    stims = [at(f"stim:{name}", first + step * k) for k, name in enumerate(order)]
    return [at("trial:start", 0), *stims, at("trial:end", first + step * len(order))]


SCORES = {20: [2.0], 50: [-2.0], 80: [-1.5], 110: [1.5]}  # top and right light up: B


def test_stimulus_scores_add_up_to_the_symbol_in_both_groups() -> None:
    rig = Rig(flashing(), SCORES)
    outputs = rig.run(flash_markers(["top", "bottom", "left", "right"]), 400)
    (final,) = finals(outputs)
    assert final.symbols == ("B",)
    assert final.samples == (
        20,
        210,
    )  # decided when the last window is in, though trial:end came before
    assert final.nbest[0].model_score == pytest.approx(3.5)


def test_max_stimuli_ends_the_evidence() -> None:
    rig = Rig(flashing(max_stimuli=2), SCORES)
    (final,) = finals(rig.run(flash_markers(["top", "bottom", "left", "right"]), 400))
    assert final.samples == (20, 150)
    assert not [e for e in events(rig.outputs) if e.kind == "late_marker"]


@given(st.permutations([0, 1, 2, 3]), st.lists(st.integers(0, 60), min_size=4, max_size=4))
def test_evidence_does_not_depend_on_the_order_of_arrival(
    order: list[int], delays: list[int]
) -> None:
    names = ["top", "bottom", "left", "right"]
    stims = [at(f"stim:{names[k]}", 20 + 30 * k, known_at=140 + delays[k]) for k in order]
    markers = [at("trial:start", 0), *stims, at("trial:end", 240)]
    late = finals(Rig(flashing(), SCORES).run(markers, 400))
    prompt = finals(Rig(flashing(), SCORES).run(flash_markers(names), 400))
    assert (late[0].symbols, late[0].samples, late[0].nbest, late[0].raw_confidence) == (
        prompt[0].symbols,
        prompt[0].samples,
        prompt[0].nbest,
        prompt[0].raw_confidence,
    )


def test_a_marker_later_than_its_decision_is_an_event_and_changes_nothing() -> None:
    markers = [*flash_markers(["top", "right"]), at("stim:left", 30, known_at=350)]
    rig = Rig(flashing(), SCORES | {50: [1.5]})
    outputs = rig.run(markers, 400)
    assert len(finals(outputs)) == 1
    assert [e.kind for e in events(outputs)] == ["late_marker"]


def test_only_the_asked_trials_are_decoded() -> None:
    markers = []
    for k in range(4):
        markers += [
            at("trial:start", 200 * k),
            at("stim:on", 200 * k),
            at("trial:end", 200 * k + 190),
        ]
    scores = {200 * k: [0.0, 5.0, 0.0, 0.0] for k in range(4)}
    rig = Rig(spec(), scores, trials=frozenset({1, 3}))
    assert [f.samples[0] for f in finals(rig.run(markers, 900))] == [225, 625]
    assert not events(rig.outputs)
    assert rig.stream.n_windows_due == 2


def test_trials_that_end_otherwise_abstain_with_their_reason() -> None:
    rig = Rig(spec(), {0: [0.0, 1.0, 0.0, 0.0], 200: [0.0, 1.0, 0.0, 0.0]})
    markers = [
        at("trial:start", 0), at("stim:on", 0),
        at("trial:start", 190), at("trial:end", 195),
        at("trial:start", 200), at("stim:on", 200),
    ]  # fmt: skip
    rig.run(markers, 210)
    outputs = rig.outputs + rig.stream.close()
    reasons = [e.figures["reason"] for e in events(outputs)]
    assert reasons == ["trial_restarted", "no_windows", "stream_ended"]
    assert rig.stream.n_windows_pending == 0


def test_an_unknown_group_is_an_event() -> None:
    rig = Rig(flashing(), {})
    outputs = rig.run([at("trial:start", 0), at("stim:nowhere", 5)], 20)
    assert [e.kind for e in events(outputs)] == ["unknown_marker"]


def test_stimuli_without_trials_open_their_own() -> None:
    rig = Rig(spec(max_stimuli=1), {0: [9.0, 0, 0, 0], 200: [0, 9.0, 0, 0]})
    assert [f.text for f in finals(rig.run([at("stim:on", 0), at("stim:on", 200)], 400))] == [
        "A",
        "B",
    ]


def test_wolpaw_at_its_landmarks() -> None:
    assert wolpaw_bits(32, 1.0) == pytest.approx(5.0)
    assert wolpaw_bits(32, 1 / 32) == 0.0
    assert wolpaw_bits(32, 0.0) == 0.0
    assert wolpaw_bits(4, 0.9) == pytest.approx(2 + 0.9 * math.log2(0.9) + 0.1 * math.log2(0.1 / 3))


def test_a_trial_that_ended_is_decided_though_the_next_has_begun() -> None:
    rig = Rig(spec(), {0: [0.0, 5.0, 0.0, 0.0], 80: [5.0, 0.0, 0.0, 0.0]})
    markers = [
        at("trial:start", 0), at("stim:on", 0), at("trial:end", 60),
        at("trial:start", 70), at("stim:on", 80), at("trial:end", 150),
    ]  # fmt: skip
    outputs = rig.run(markers, 300)
    assert [(f.text, f.samples) for f in finals(outputs)] == [("B", (25, 125)), ("A", (105, 205))]
    assert not events(outputs)
    assert (rig.stream.n_windows_due, rig.stream.n_windows_pending) == (2, 0)


def test_enough_stimuli_end_the_evidence_though_the_next_trial_begins_before_they_are_in() -> None:
    rig = Rig(spec(max_stimuli=1), {0: [0.0, 5.0, 0.0, 0.0], 50: [5.0, 0.0, 0.0, 0.0]})
    markers = [
        at("trial:start", 0), at("stim:on", 0), at("trial:start", 40),
        at("stim:on", 45, known_at=45), at("stim:on", 30, known_at=46),
    ]  # fmt: skip
    rig.scores[45] = [5.0, 0.0, 0.0, 0.0]
    assert [f.text for f in finals(rig.run(markers, 300))] == ["B", "A"]


def test_stimuli_without_trials_may_overlap() -> None:
    rig = Rig(spec(max_stimuli=1), {0: [9.0, 0, 0, 0], 50: [0, 9.0, 0, 0]})
    outputs = rig.run([at("stim:on", 0), at("stim:on", 50)], 400)
    assert [f.text for f in finals(outputs)] == ["A", "B"]


def test_what_was_shown_is_taken_back_when_it_is_final() -> None:
    rig = Rig(flashing(), SCORES)
    texts = [
        o
        for o in rig.run(flash_markers(["top", "bottom", "left", "right"]), 400)
        if isinstance(o, Text)
    ]
    assert [(t.kind, t.text) for t in texts[-2:]] == [("final", "B"), ("partial", "")]
    assert "partial" in {t.kind for t in texts[:-2]}
