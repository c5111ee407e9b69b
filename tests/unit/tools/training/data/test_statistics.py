from __future__ import annotations

from pathlib import Path

from tests.text_recordings import write_array
from tools.training.data.corpus import read_corpus
from tools.training.data.cuts import cut_corpus
from tools.training.data.settings import DataSettings
from tools.training.data.splits import split_cuts
from tools.training.data.statistics import corpus_statistics, statistics_lines


def test_statistics_count_what_training_sees(tmp_path: Path) -> None:
    write_array(tmp_path / "sub-1_ses-a_eeg.npy", [("aab", 1000, 1100), ("c", 1500, 1600)])
    write_array(tmp_path / "x.npy", [("c", 1000, 1400), ("", 1500, 1600)], seed=1)
    settings = DataSettings(margin_s=0.5, held_out=0.4)
    corpus = read_corpus(sorted(tmp_path.glob("*.npy")), settings)
    cuts = cut_corpus(corpus, margin_s=settings.margin_s)
    found = corpus_statistics(corpus, cuts, split_cuts(cuts, settings))
    assert (found["recordings"], found["texts"], found["distinct_texts"]) == (2, 3, 2)
    assert found["recorded_s"] == 60.0
    assert found["symbols"] == {
        "a": {"count": 2, "share": 0.4},
        "c": {"count": 2, "share": 0.4},
        "b": {"count": 1, "share": 0.2},
    }
    assert found["text_s"] == {"least": 1.0, "median": 1.0, "mean": 2.0, "most": 4.0}
    assert found["text_symbols"]["most"] == 3
    assert found["symbols_per_s"] == 5 / 6
    who = [
        (row["subject"], row["session"], row["texts"], row["rests"]) for row in found["sessions"]
    ]
    assert who == [("unknown", "x", 1, 1), ("1", "a", 2, 2)]
    assert sum(row["texts"] for row in found["split"].values()) == 3
    assert found["split"]["held out"]["distinct_texts"] == 1
    assert len(found["problems"]) == 1
    lines = "\n".join(statistics_lines(found))
    for part in (
        "2 recordings, 1.0 min",
        "'a' 40.00%",
        "unknown",
        "held out",
        "3 texts, 2 distinct",
    ):
        assert part in lines
