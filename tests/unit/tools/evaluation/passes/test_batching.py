from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from runtime.engine import open_engine
from tests.bundles import ctc_spec, make_bundle, pulses
from tests.recordings import noise, trial_markers
from tests.reels import reel
from tools.evaluation.passes import batching
from tools.evaluation.passes.batching import N_ROWS, open_batching, windows_of
from tools.evaluation.passes.decoding import decode
from tools.evaluation.passes.reel import Item

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("decoder", [{}, {"threshold": "0.9"}, {"max_s": "0.2"}])
def test_windows_of_trials_in_batches_give_what_they_give_alone(
    tmp_path: Path, decoder: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_bundle(tmp_path / "b", head="selection")
    engine = open_engine(tmp_path / "b", decoder=decoder)
    wide = open_batching(tmp_path / "b", engine)
    assert wide.told == f"{N_ROWS} windows a call, each bit-equal to the single call"
    samples = 0.3 * noise(20_000)
    samples[3000:3010] = np.nan
    markers = trial_markers(20_000)
    starts = [at for at, text in markers if text == "trial:start"]
    given = reel([Item(k, "A", at, at + 180) for k, at in enumerate(starts)], markers=markers,
                 samples=samples)  # fmt: skip
    alone = decode(engine, given)
    n_single = count_single_calls(monkeypatch)
    together = decode(engine, given, batching=wide)
    assert together.said == alone.said
    assert len(given.items) > 2 * N_ROWS
    assert n_single == []


def count_single_calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that grows with each window that had to go through the model alone."""
    calls: list[int] = []
    ahead = batching._Ahead
    make = ahead.__init__

    def counting(self: batching._Ahead, *given: object) -> None:
        make(self, *given)  # type: ignore[arg-type]
        run = self._single.run

        def counted(window: np.ndarray) -> np.ndarray:
            calls.append(1)
            return run(window)

        monkeypatch.setattr(self._single, "run", counted)

    monkeypatch.setattr(ahead, "__init__", counting)
    return calls


def test_overlapping_windows_in_batches_give_what_they_give_alone(tmp_path: Path) -> None:
    make_bundle(tmp_path / "b", head="seq2seq")
    engine = open_engine(tmp_path / "b")
    wide = open_batching(tmp_path / "b", engine)
    assert wide.session is not None
    samples = pulses("ab a", n_samples=2000, start=400)
    samples[1000:1400] = 0.0  # nothing moves: the model is not asked
    given = reel([Item(0, "ab a", 380, 700)], samples=samples)
    assert len(list(windows_of(engine, given, samples))) == 95
    assert decode(engine, given, batching=wide).said == decode(engine, given).said


def test_a_model_with_a_state_is_not_batched(tmp_path: Path) -> None:
    make_bundle(tmp_path / "b", spec=ctc_spec())
    wide = open_batching(tmp_path / "b", open_engine(tmp_path / "b"))
    assert wide.session is None
    assert wide.told == "off: the model carries its state from window to window"


def test_a_model_that_cannot_take_several_is_not_batched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_bundle(tmp_path / "b", head="selection")
    engine = open_engine(tmp_path / "b")
    monkeypatch.setattr(batching, "widened", lambda data, **_: data)
    assert open_batching(tmp_path / "b", engine).told.startswith("off: the model's file takes one")


def test_a_model_that_computes_other_bits_in_a_batch_is_not_batched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_bundle(tmp_path / "b", head="selection")
    engine = open_engine(tmp_path / "b")
    run = batching._run

    def by_one_bit(*given: object) -> np.ndarray:
        found = run(*given).copy()  # type: ignore[arg-type]
        found[-1, 0, 0] = np.nextafter(found[-1, 0, 0], np.float32(np.inf))
        return found

    monkeypatch.setattr(batching, "_run", by_one_bit)
    assert "not bit-equal" in open_batching(tmp_path / "b", engine).told
