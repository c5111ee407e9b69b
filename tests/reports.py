"""Folders of reports, made up: what an evaluation leaves, of selections or of texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from tests.report_rows import row, selection
from tools.evaluation import rates
from tools.evaluation.evaluate import compared_rows
from tools.evaluation.judgement import Claim, Judge
from tools.evaluation.rows import Row, write_rows
from tools.evaluation.summary import summary

KEYS = ("A", "B", "C", "D", "E", "F", "G", " ")
_TEXT = "the of and to in he was born film is a good day we go home with it her his"
WORDS = _TEXT.split()


def selections(n: int = 64, *, snr: float = 3.0, seed: int = 0, **known: Any) -> list[Row]:
    """Selections of one of eight keys in two recordings, with two noise inputs."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(n):
        meant = number % len(KEYS)
        sure = 2.0 * rng.normal(size=len(KEYS))
        sure[meant] += 2.0 * snr
        posterior = np.exp(sure - sure.max())
        posterior /= posterior.sum()
        heard = rng.integers(len(KEYS), size=3)
        found.append(
            selection(
                number,
                KEYS[meant],
                dict(zip(KEYS, posterior.tolist(), strict=True)),
                above=0.3,
                **{
                    "recording": f"run{1 + number % 2}.xdf",
                    "decided_s": 0.9,
                    "without_lm": KEYS[int(sure.argmax())],
                    "controls": {"white": KEYS[heard[0]], "phases": KEYS[heard[1]]},
                }
                | known,
            )
        )
    return found


def texts(n: int = 60, *, wrong: float = 0.2, seed: int = 0) -> list[Row]:
    """Sentences with that share of words exchanged, and what a deaf system writes."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(n):
        words = rng.choice(WORDS, rng.integers(3, 12)).tolist()
        written = [w if rng.random() > wrong else str(rng.choice(WORDS)) for w in words]
        deaf = rng.choice(WORDS, len(words)).tolist()
        found.append(
            row(
                number,
                reference=f"{' '.join(words)} {number}",
                hypothesis=f"{' '.join(written)} {number}",
                greedy=" ".join(written),
                without_lm=" ".join(written),
                recording="",
                controls={"noise": " ".join(deaf)},
            )
        )
    return found


def write_folder(
    path: Path, rows: list[Row], *, unit: str = "selections", **changes: Any
) -> dict[str, Any]:
    """Write a report's folder without its page; return its evaluation."""
    how = "none" if unit == "selections" else "basic"
    compared = compared_rows(rows, how)
    pairs = [one.pair() for one in compared]
    controls = {
        name: [
            msgspec.structs.replace(pair, hypothesis=one.controls[name])
            for pair, one in zip(pairs, compared, strict=True)
        ]
        for name in compared[0].controls
    }
    judge = Judge(pairs, Claim(unit=unit), n_draws=400, n_permutations=199)
    told = {
        **summary(judge.judge(controls), how=how, n_dropped=len(rows) - len(compared)),
        "title": "made up",
        "recordings": rates.by_recording(compared, unit, seed=0),
        "decodings": rates.by_decoding(compared, unit, seed=0),
        **changes,
    }
    path.mkdir(parents=True, exist_ok=True)
    write_rows(path / "rows.jsonl", rows)
    (path / "evaluation.json").write_text(json.dumps(told), encoding="utf-8")
    return told


SPEED = {
    "itr": {
        "bits_per_min": 90.0,
        "interval": [80.0, 100.0],
        "symbols": 8,
        "seconds_per_selection": 0.9,
        "counts": "Wolpaw's bits",
    },
    "characters_per_min": 60.0,
    "right_characters_per_min": 55.0,
    "realtime_factor": 210.0,
    "latency_ms": {
        "filter": {"p50": 0.1, "p95": 0.2, "p99": 0.3, "max": 0.9},
        "total": {"p50": 2.5, "p95": 3.0, "p99": 4.0, "max": 9.0},
    },
    "throughput": {"recorded_s": 64.0, "elapsed_s": 0.3},
    "made_of": {"command": "eegscribe evaluate b.eegb run1.xdf", "created": "2026-11-22T12:00:00Z"},
    "bundle": {"name": "made up", "sha256": "5f" * 32},
}
"""What an evaluation of a bundle adds."""
