"""Published outputs of models that read nothing from EEG, and the verdict on them."""

from __future__ import annotations

import pytest

from tests.given import DATA
from tools.evaluation.judgement import Claim, Judge
from tools.evaluation.pairs import Pair, matched, normalised, read_pairs

OUTPUTS = DATA / "outputs"
needs_outputs = pytest.mark.skipif(not OUTPUTS.is_dir(), reason=f"no given outputs in {OUTPUTS}")
NAMES = tuple(f"train_{a}_test_{b}" for a in ("eeg", "noise") for b in ("eeg", "noise"))


def given(name: str) -> list[Pair]:
    return normalised(read_pairs(OUTPUTS / f"{name}.jsonl"), "basic")[0]


@needs_outputs
def test_the_given_outputs_score_as_they_were_measured_and_show_nothing() -> None:
    free = (1.1108, 1.1195, 1.1132, 1.1171)
    forced = (0.7877, 0.7880, 0.7911, 0.7893)
    own = given(NAMES[0])
    controls = {name: matched(own, given(name), where=name) for name in NAMES[1:]}
    found = Judge(own, Claim("words")).judge(controls)
    assert found.scores.wer == pytest.approx(free[0], abs=0.002)
    for name, wer in zip(NAMES[1:], free[1:], strict=True):
        control = found.evidence.controls[name]
        assert control.error.estimate == pytest.approx(wer, abs=0.002)
        assert control.more.low < 0.0 < control.more.high
    assert found.evidence.baselines["empty"].error.estimate == 1.0
    assert found.verdict.verdict == "not shown"
    claimed = Judge(own, Claim("words", teacher_forced=True)).judge(controls)
    assert claimed.scores.wer == pytest.approx(forced[0], abs=0.002)
    for name, wer in zip(NAMES[1:], forced[1:], strict=True):
        assert claimed.evidence.controls[name].error.estimate == pytest.approx(wer, abs=0.002)
    assert claimed.verdict.verdict == "fooled"
