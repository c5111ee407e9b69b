"""Character errors of the demo bundle against signal-to-noise, beside a detector told the truth.

Simulated EEG throughout. Sessions have seeds that training never draws. Everyday text is of phrases
that neither the network nor the language model has seen, random text of characters drawn alike.
``greedy`` uses no language model. ``oracle`` names single characters given the patterns and the
true boundaries (``tests/oracle.py``): its errors are substitutions alone. The constant phrase is
the training phrase that is least wrong on other training phrases.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from runtime.engine import open_engine
from runtime.paradigm import ALPHABET
from runtime.simulation.synthesis import DEFAULT_SNR_DB, Session, SynthesisSettings, synthesise
from tests.bench.command import bench_main
from tests.bench.tables import table
from tests.oracle import Oracle
from tools.demo.demo_run import DEMO_BUNDLE
from tools.training.evaluation import GREEDY
from tools.training.tasks import CORPUS
from tools.training.transcribe import ErrorCount, count_errors, finals, sum_errors, transcript_of

FIRST_SEED = 7_000_000
SNRS_DB = (-np.inf, -9.0, -7.0, -5.0, DEFAULT_SNR_DB, -1.0, 1.0, 3.0)
QUICK_SNRS_DB = (-np.inf, -5.0, DEFAULT_SNR_DB, 0.0)
N_RANDOM = 24
HEADER = ("SNR dB", "text", "characters", "greedy", "beam+LM", "oracle", "subs", "dels", "ins")


def texts(kind: str, n_texts: int) -> list[str]:
    """Return unseen everyday phrases, or random characters in as many pieces."""
    if kind == "everyday":
        return CORPUS.with_name("everyday_test.txt").read_text("utf-8").splitlines()[:n_texts]
    rng = np.random.default_rng(FIRST_SEED)
    return ["".join(rng.choice(list(ALPHABET), N_RANDOM)).strip() for _ in range(n_texts)]


def sessions(wanted: list[str], snr_db: float) -> Iterator[Session]:
    """Yield a session a text, each of its own seed."""
    for number, text in enumerate(wanted):
        settings = SynthesisSettings(snr_db=snr_db)
        yield synthesise(text, seed=FIRST_SEED + number, settings=settings)


def measure(kind: str, snr_db: float, *, n_texts: int) -> dict[str, Any]:
    """Return the error rates at one signal-to-noise ratio."""
    beam, greedy = open_engine(DEMO_BUNDLE), open_engine(DEMO_BUNDLE, decoder=GREEDY)
    oracle = Oracle(rate_hz=SynthesisSettings().rate_hz)
    wanted = texts(kind, n_texts)
    counts: dict[str, list[ErrorCount]] = {"greedy": [], "beam": []}
    named: list[float] = []
    for text, session in zip(wanted, sessions(wanted, snr_db), strict=True):
        for name, engine in (("greedy", greedy), ("beam", beam)):
            transcript = transcript_of(finals(engine, session.samples))
            counts[name].append(count_errors(text, transcript))
        named += [oracle.accuracy(session)] * len(text)
    found = {name: sum_errors(given) for name, given in counts.items()}
    return {
        "snr_db": snr_db,
        "text": kind,
        "characters": sum(map(len, wanted)),
        "greedy": _figures(found["greedy"]),
        "beam": _figures(found["beam"]),
        "oracle_accuracy": float(np.mean(named)),
    }


def constant_phrase(n_texts: int) -> float:
    """Return the error rate of always answering one phrase, chosen on training text."""
    train = CORPUS.read_text("utf-8").splitlines()
    judges = train[::30]

    def cer(phrase: str, truths: list[str]) -> float:
        return sum_errors(count_errors(truth, phrase) for truth in truths).cer

    best = min(train[::10], key=lambda phrase: cer(phrase, judges))
    return cer(best, texts("everyday", n_texts))


def _figures(errors: ErrorCount) -> dict[str, float]:
    n_characters = errors.n_characters
    return {
        "cer": errors.cer,
        "substitutions": errors.substitutions / n_characters,
        "deletions": errors.deletions / n_characters,
        "insertions": errors.insertions / n_characters,
    }


def run(*, quick: bool) -> dict[str, Any]:
    """Measure every ratio on both kinds of text; print a row for each."""
    n_texts = 36 if quick else 165
    snrs_db = QUICK_SNRS_DB if quick else SNRS_DB
    rows = [
        measure(kind, snr_db, n_texts=n_texts)
        for kind in ("everyday", "random")
        for snr_db in snrs_db
    ]
    shown = [
        [
            f"{row['snr_db']:+g}" + (" default" if row["snr_db"] == DEFAULT_SNR_DB else ""),
            row["text"],
            row["characters"],
            *(f"{row[name]['cer']:.1%}" for name in ("greedy", "beam")),
            f"{1.0 - row['oracle_accuracy']:.1%}",
            *(f"{row['beam'][name]:.1%}" for name in ("substitutions", "deletions", "insertions")),
        ]
        for row in rows
    ]
    baseline = constant_phrase(n_texts)
    print(table(shown, header=HEADER))
    print("(simulated EEG; errors per character; the last three are parts of beam+LM)")
    print(f"always the same phrase: {baseline:.1%} on everyday text; silence: 100 %\n", flush=True)
    return {"rows": rows, "constant_phrase_cer": baseline}


def main() -> None:
    """Run this bench alone."""
    bench_main(run)


if __name__ == "__main__":
    main()
