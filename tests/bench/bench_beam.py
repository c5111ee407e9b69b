"""Microseconds a frame of the CTC search, beside the textbook's dictionary of prefixes in Python.

Frames of 20 ms in which somebody types everyday phrases, 33 symbols: *sharp*, as a trained network
gives them, and *vague*, in which every symbol stays possible. Both searches see the same frames in
turn, and must give the same text and score before anything is timed. Our figures hold the whole
driver: search, commit rule, partials and finals. ``fast-ctc-decode`` (Rust, no language model, not
incremental) stands beside them as a mean, where it is installed.
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import tools
from pipeline.commit import CtcStream
from pipeline.ctc_beam import PrefixBeam
from pipeline.language_model import LanguageModel
from pipeline.spec import CtcDecoder
from tests.bench.command import bench_main
from tests.bench.tables import spread, table
from tools.language.language_model import arpa_lines, clean_phrases, train

VOCABULARY = ("", *"abcdefghijklmnopqrstuvwxyz '.,?", "<backspace>")
BEAMS = (8, 16, 32)
LM_WEIGHT, LENGTH_BONUS, PRUNE_LOGP = 0.5, 0.75, -7.0
SHARP, VAGUE = 0.95, 0.35
DATA = Path(tools.__file__).parent / "data"

Frames = NDArray[np.float32]
Tail = tuple[int, ...]


class Textbook:
    """Prefix beam search as usually written (Hannun et al. 2014): a dictionary of prefixes."""

    def __init__(self, width: int, lm: LanguageModel | None) -> None:
        self.width, self.lm = width, lm
        self.beams: dict[Tail, tuple[float, float]] = {(): (0.0, -math.inf)}
        self.known: dict[Tail, tuple[int, float]] = {(): (lm.start if lm else 0, 0.0)}

    def step(self, log_p: list[float]) -> None:
        grown: dict[Tail, tuple[float, float]] = {}
        for tail, (blank, symbol) in self.beams.items():
            total = log_add(blank, symbol)
            for index, log_symbol in enumerate(log_p):
                if index == 0:
                    old = grown.get(tail, (-math.inf, -math.inf))
                    grown[tail] = (log_add(old[0], total + log_symbol), old[1])
                    continue
                if tail and tail[-1] == index:
                    old = grown.get(tail, (-math.inf, -math.inf))
                    grown[tail] = (old[0], log_add(old[1], symbol + log_symbol))
                if log_symbol < PRUNE_LOGP:
                    continue
                before = blank if tail and tail[-1] == index else total
                longer = (*tail, index)
                old = grown.get(longer, (-math.inf, -math.inf))
                grown[longer] = (old[0], log_add(old[1], before + log_symbol))
        best = sorted(grown, key=lambda tail: self.score(tail, grown[tail]), reverse=True)
        self.beams = {tail: grown[tail] for tail in best[: self.width]}

    def score(self, tail: Tail, logs: tuple[float, float]) -> float:
        bonus = LENGTH_BONUS * len(tail) if self.lm else 0.0
        return log_add(*logs) + bonus + (LM_WEIGHT * self.read(tail)[1] if self.lm else 0.0)

    def read(self, tail: Tail) -> tuple[int, float]:
        found = self.known.get(tail)
        if found is None:
            assert self.lm is not None
            state, score = self.read(tail[:-1])
            score += float(self.lm.scores(state)[tail[-1]])
            found = self.known[tail] = self.lm.advance(state, tail[-1]), score
        return found

    def best(self) -> tuple[Tail, float]:
        tail = next(iter(self.beams))
        return tail, self.score(tail, self.beams[tail])


def log_add(a: float, b: float) -> float:
    if a == -math.inf:
        return b
    if b == -math.inf:
        return a
    return max(a, b) + math.log1p(math.exp(-abs(a - b)))


def typed(phrase: str, rng: np.random.Generator, *, certainty: float) -> Frames:
    """A symbol for 3 frames each 0.4 s, the rest blank, and 1.2 s of silence at the end."""
    path = [VOCABULARY.index(symbol) for symbol in phrase for _ in range(20)]
    quiet = np.arange(len(path)) % 20 >= 3
    best = np.where(quiet, 0, path)
    best = np.concatenate((best, np.zeros(60, np.int64)))
    spread_thin = 0.1 if certainty == SHARP else 2.0
    p = (1 - certainty) * rng.dirichlet([spread_thin] * len(VOCABULARY), size=len(best))
    p[np.arange(len(best)), best] += certainty
    return np.log(p + 1e-12).astype(np.float32)


def everyday(name: str) -> list[str]:
    text = (DATA / f"everyday_{name}.txt").read_text(encoding="utf-8")
    return list(clean_phrases(text.splitlines()))


def settings(beam: int, lm: LanguageModel | None) -> CtcDecoder:
    if lm is None:
        return CtcDecoder(beam=beam, prune_logp=PRUNE_LOGP)
    return CtcDecoder(
        beam=beam, lm_weight=LM_WEIGHT, length_bonus=LENGTH_BONUS, prune_logp=PRUNE_LOGP
    )


def check_equal(beam: int, lm: LanguageModel | None, frames: Frames) -> None:
    """Refuse to compare searches that do not find the same."""
    given = settings(beam, lm)
    ours = PrefixBeam(
        len(VOCABULARY),
        width=beam,
        lm=lm,
        lm_weight=given.lm_weight,
        length_bonus=given.length_bonus,
        prune_logp=PRUNE_LOGP,
    )
    theirs = Textbook(beam, lm)
    for t, frame in enumerate(frames.astype(np.float64)):
        ours.step(frame, t)
        theirs.step(frame.tolist())
    tail, score = theirs.best()
    if ours.tail != tail or abs(ours.best(1)[0].score - score) > 1e-6:
        raise RuntimeError(f"beam {beam}: {ours.best(1)[0]} differs from the textbook's {score}")


def measure(
    beam: int, lm: LanguageModel | None, phrases: list[Frames], n_textbook: int
) -> tuple[list[float], list[float]]:
    """Return microseconds of each frame: the driver's, fed frame by frame, and the textbook's."""
    driver = CtcStream(settings(beam, lm), VOCABULARY, lm, frame_samples=1, rate_hz=50.0)
    ours, theirs, sample = [], [], 0
    for k, frames in enumerate(phrases):
        for frame in frames[:, np.newaxis]:
            began_ns = time.perf_counter_ns()
            driver.push(frame, first_sample=sample)
            ours.append((time.perf_counter_ns() - began_ns) / 1e3)
            sample += 1
        textbook = Textbook(beam, lm)
        for row in frames.astype(np.float64).tolist() if k < n_textbook else ():
            began_ns = time.perf_counter_ns()
            textbook.step(row)
            theirs.append((time.perf_counter_ns() - began_ns) / 1e3)
    return ours, theirs


def rust_us(beam: int, phrases: list[Frames]) -> float | None:
    """Return the mean microseconds a frame of fast-ctc-decode, None where it is not installed."""
    try:
        from fast_ctc_decode import beam_search
    except ImportError:
        return None
    alphabet = ["N", *map(chr, range(ord("a"), ord("a") + len(VOCABULARY) - 1))]
    began_ns = time.perf_counter_ns()
    for frames in phrases:
        beam_search(np.exp(frames), alphabet, beam_size=beam, beam_cut_threshold=1e-3)
    return (time.perf_counter_ns() - began_ns) / 1e3 / sum(map(len, phrases))


def silence(lm: LanguageModel, n_frames: int) -> dict[str, Any]:
    """Return the spread over the first and the last thousand frames of a long silence."""
    rng = np.random.default_rng(3)
    driver = CtcStream(settings(8, lm), VOCABULARY, lm, frame_samples=1, rate_hz=50.0)
    taken = []
    for k in range(n_frames):
        p = 0.05 * rng.dirichlet([0.1] * len(VOCABULARY))
        p[0] += 0.95
        frame = np.log(p + 1e-12).astype(np.float32)[np.newaxis]
        began_ns = time.perf_counter_ns()
        driver.push(frame, first_sample=k)
        taken.append((time.perf_counter_ns() - began_ns) / 1e3)
    return {"first 1000": spread(taken[:1000]), "last 1000": spread(taken[-1000:])}


def run(*, quick: bool) -> dict[str, Any]:
    """Measure both; print them."""
    model = train(everyday("train"), order=6)
    lm = LanguageModel.from_arpa(arpa_lines(model), vocabulary=VOCABULARY)
    rng = np.random.default_rng(1)
    texts = everyday("test")[: 4 if quick else 40]
    found: dict[str, dict[str, Any]] = {}
    rows = []
    for kind, certainty in (("sharp", SHARP), ("vague", VAGUE)):
        phrases = [typed(text, rng, certainty=certainty) for text in texts]
        for beam in BEAMS:
            for model_name, used in (("no model", None), ("order 6", lm)):
                check_equal(beam, used, phrases[0])
                ours, theirs = measure(beam, used, phrases, n_textbook=1 if quick else 4)
                rust = rust_us(beam, phrases) if used is None else None
                mine, textbook = spread(ours), spread(theirs)
                name = f"{kind}, beam {beam}, {model_name}"
                found[name] = {"ours": mine, "textbook": textbook, "rust_mean": rust}
                columns = ("p50", "p99", "p99.9")
                rows.append(
                    [name, *(mine[c] for c in columns), *(textbook[c] for c in columns), rust]
                )
    header = ("a frame (µs)", "p50", "p99", "p99.9", "book p50", "book p99", "book p99.9", "Rust")
    print(table(rows, header=header), end="\n\n", flush=True)
    n_quiet = 5_000 if quick else 180_000
    quiet = silence(lm, n_quiet)
    quiet_rows = [[k, *(row[c] for c in ("p50", "p99", "p99.9"))] for k, row in quiet.items()]
    title = f"{n_quiet} frames of silence (µs)"
    print(table(quiet_rows, header=(title, "p50", "p99", "p99.9")), end="\n\n")
    return {"beam_us": found, "silence_us": quiet}


if __name__ == "__main__":
    bench_main(run)
