"""Words from frames of phonemes: what a frame costs, and whether a lexicon pays.

Cost is that of the whole driver (search, commit rule, partials, finals) frame by frame, with a
trigram over at least 20 000 words, on frames that are *sharp*, as a trained network gives them, and
*vague*, in which every symbol stays possible. A daemon has 100 ms for everything.

Word error rates are of simulated frames (``tests.bench.simulated_speech``) of phrases that no model
has seen: phonemes decoded by lexicon and word trigram, letters by the character beam and its
6-gram of the same text, and letters by lexicon and trigram. Weights were chosen on phrases of the
training text. Intervals are of 2000 bootstraps over phrases, 95 %.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import Any

import jiwer
import numpy as np
from numpy.typing import NDArray

from pipeline.arpa import Arpa
from pipeline.commit import CtcStream
from pipeline.ctc_lexicon import Words
from pipeline.language_model import LanguageModel
from pipeline.lexicon import read_lexicon
from pipeline.spec import CtcDecoder
from pipeline.values import Text
from pipeline.word_language_model import WordLanguageModel
from tests.bench.command import bench_main
from tests.bench.simulated_speech import (
    HEIGHT,
    LETTERS,
    LM_FLOOR,
    NOISE,
    PHONEMES,
    Frames,
    Language,
    Phrase,
    frames_of,
    spelled,
)
from tests.bench.tables import spread, table

RATE_HZ, FRAME_SAMPLES = 50.0, 4
SIZES = (20_000, 200_000)
BEAMS = (32, 64)
KINDS = {"sharp": (9.0, 1.0), "vague": (1.5, 1.0)}
BUDGET_MS = 100.0
N_SEEDS = 3
N_BOOTSTRAPS = 2000

WORDS = CtcDecoder(
    method="lexicon", beam=64, lm_weight=0.5, length_bonus=-1.0, lm_floor=LM_FLOOR, stability_s=2.0
)
CHARACTERS = CtcDecoder(beam=64, lm_weight=0.6, length_bonus=-1.25, stability_s=2.0)


def stream(
    settings: CtcDecoder,
    vocabulary: tuple[str, ...],
    *,
    words: Words | None = None,
    lm: LanguageModel | None = None,
) -> CtcStream:
    """Return a driver at 80 ms a frame."""
    return CtcStream(
        settings, vocabulary, lm, frame_samples=FRAME_SAMPLES, rate_hz=RATE_HZ, words=words
    )


def load(language: Language) -> dict[str, Any]:
    """Return seconds and memory that a daemon spends on lexicon and trigram."""
    lexicon_text, arpa = language.lexicon_text, language.arpa
    began_s = time.process_time()
    lexicon = read_lexicon(lexicon_text, vocabulary=PHONEMES)
    lexicon_s = time.process_time() - began_s
    lm = WordLanguageModel.from_arpa(arpa, words=lexicon.words(), floor=LM_FLOOR)
    return {
        "words": len(lexicon.texts),
        "nodes": lexicon.n_nodes,
        "ngrams": sum(line[:1] == "-" for line in arpa),
        "lexicon_s": lexicon_s,
        "trigram_s": time.process_time() - began_s - lexicon_s,
        "lexicon_mb": size_mb(lexicon),
        "trigram_mb": size_mb(lm),
    }


def size_mb(kept: object) -> float:
    """Return what a model's arrays and words take, those it was compiled from too."""
    if isinstance(kept, np.ndarray):
        return kept.nbytes / 1e6
    if isinstance(kept, tuple):
        return (sys.getsizeof(kept) + sum(map(sys.getsizeof, kept))) / 1e6
    names = getattr(kept, "__slots__", None) or vars(kept)
    held = [getattr(kept, name) for name in names]
    return sum(size_mb(one) for one in held if isinstance(one, np.ndarray | tuple | Arpa))


def cost(
    language: Language, words: Words, kind: str, beam: int, n_phrases: int
) -> tuple[list[float], list[float]]:
    """Return milliseconds of each frame, on the wall and of its own processor time."""
    height, noise = KINDS[kind]
    driver = stream(
        CtcDecoder(method="lexicon", beam=beam, lm_weight=0.5, lm_floor=LM_FLOOR),
        PHONEMES,
        words=words,
    )
    wall, own, sample = [], [], 0
    for number, phrase in enumerate(language.said[:n_phrases]):
        rng = np.random.default_rng(number)
        symbols = language.said_in_phonemes(phrase)
        frames = frames_of(symbols, len(PHONEMES), rng, height=height, noise=noise)
        for frame in frames[:, np.newaxis]:
            began_ns, began_own_ns = time.perf_counter_ns(), time.thread_time_ns()
            driver.push(frame, first_sample=sample)
            own.append((time.thread_time_ns() - began_own_ns) / 1e6)
            wall.append((time.perf_counter_ns() - began_ns) / 1e6)
            sample += FRAME_SAMPLES
    return wall, own


@dataclass(frozen=True)
class Contestant:
    """One way from a phrase to words."""

    vocabulary: tuple[str, ...]
    settings: CtcDecoder
    words: Words | None = None
    lm: LanguageModel | None = None

    def read(self, frames: Frames) -> str:
        """Return the finals of one phrase."""
        driver = stream(self.settings, self.vocabulary, words=self.words, lm=self.lm)
        outputs = [*driver.push(frames, first_sample=0), *driver.finish()]
        finals = [o.text for o in outputs if isinstance(o, Text) and o.kind == "final"]
        return "".join(finals).strip()


def errors(
    contestant: Contestant, language: Language, phrases: list[Phrase]
) -> NDArray[np.float64]:
    """Return wrong and true words of each phrase, ``(n_phrases, 2)``, over all seeds."""
    found = np.zeros((len(phrases), 2))
    for seed in range(N_SEEDS):
        for number, phrase in enumerate(phrases):
            rng = np.random.default_rng([seed, number])
            if contestant.vocabulary == PHONEMES:
                symbols = language.said_in_phonemes(phrase)
            else:
                symbols = spelled(phrase)
            read = contestant.read(frames_of(symbols, len(contestant.vocabulary), rng))
            told = jiwer.process_words(" ".join(phrase), read)
            found[number] += told.substitutions + told.insertions + told.deletions, len(phrase)
    return found


def rate_of(found: NDArray[np.float64], rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the word error rate of each row of phrase numbers, ``(n,)``."""
    wrong, true = found[rows].sum(axis=1).T
    rates: NDArray[np.float64] = wrong / true
    return rates


def compare(language: Language, phrases: list[Phrase]) -> dict[str, Any]:
    """Return each one's word error rate, and how much higher the character beam's is."""
    spoken, letters = language.phonemes(), language.letters()
    contestants = {
        "phonemes, lexicon + trigram": Contestant(PHONEMES, WORDS, words=spoken),
        "letters, character beam + 6-gram": Contestant(
            LETTERS, CHARACTERS, lm=language.characters()
        ),
        "letters, lexicon + trigram": Contestant(LETTERS, WORDS, words=letters),
    }
    found = {name: errors(c, language, phrases) for name, c in contestants.items()}
    rows = np.random.default_rng(0).integers(len(phrases), size=(N_BOOTSTRAPS, len(phrases)))
    whole = np.arange(len(phrases))[np.newaxis]
    figures: dict[str, Any] = {}
    beam = found["letters, character beam + 6-gram"]
    for name, counts in found.items():
        drawn = rate_of(counts, rows)
        more = rate_of(beam, rows) - drawn
        figures[name] = {
            "wer": float(rate_of(counts, whole)[0]),
            "interval": np.percentile(drawn, [2.5, 97.5]).tolist(),
            "beam_more": float((rate_of(beam, whole) - rate_of(counts, whole))[0]),
            "beam_more_interval": np.percentile(more, [2.5, 97.5]).tolist(),
        }
    return figures


def run(*, quick: bool) -> dict[str, Any]:
    """Measure all; print it."""
    costs: dict[str, Any] = {}
    loads: dict[str, Any] = {}
    rows = []
    for size in SIZES:
        language = Language(size)
        loads[str(len(language.words))] = load(language)
        words = language.phonemes()
        for kind in KINDS:
            for beam in BEAMS:
                name = f"{len(language.words)} words, {kind}, beam {beam}"
                wall, own = cost(language, words, kind, beam, n_phrases=4 if quick else 60)
                costs[name] = {"wall": spread(wall), "own": spread(own)}
                of_wall = [costs[name]["wall"][c] for c in ("p50", "p99", "p99.9", "max")]
                rows.append([name, *of_wall, *(costs[name]["own"][c] for c in ("p50", "p99"))])
    keys = ("words", "nodes", "ngrams", "lexicon_s", "trigram_s", "lexicon_mb", "trigram_mb")
    loaded = [[found[key] for key in keys] for found in loads.values()]
    print(table(loaded, header=keys), end="\n\n", flush=True)
    header: tuple[str, ...] = ("a frame (ms)", "p50", "p99", "p99.9", "max", "own p50", "own p99")
    print(table(rows, header=header), end="\n\n")
    worst = max(found["wall"]["max"] for found in costs.values())
    print(f"slowest frame {worst:.1f} ms of the {BUDGET_MS:g} that a daemon has\n", flush=True)
    rates = compare(language, language.said[: 10 if quick else None])
    rates_rows = [
        [
            name,
            100 * found["wer"],
            "{:.1f} to {:.1f}".format(*(100 * x for x in found["interval"])),
            100 * found["beam_more"],
            "{:.1f} to {:.1f}".format(*(100 * x for x in found["beam_more_interval"])),
        ]
        for name, found in rates.items()
    ]
    n_said = 10 if quick else len(language.said)
    title = f"simulated, height {HEIGHT:g}, noise {NOISE:g}, {n_said} phrases x {N_SEEDS}"
    header = (title, "WER (%)", "95 %", "character beam's is higher by", "95 %")
    print(table(rates_rows, header=header), end="\n\n")
    return {"load": loads, "frame_ms": costs, "wer": rates}


if __name__ == "__main__":
    bench_main(run)
