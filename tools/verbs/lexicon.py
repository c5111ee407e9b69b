"""``eegscribe lexicon``: how words are pronounced, for a decoder that finds words."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import RecordingError
from pipeline.lexicon import read_lexicon
from tools.language.pronunciation import VOCABULARY, cmu_pronunciations, lexicon_lines, spelled_out
from tools.language.words import read_vocabulary, split_words
from tools.verbs.train_lm import read_phrases, write_text

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

EXAMPLE = """examples:
  eegscribe lexicon words.txt --out lexicon.txt
  eegscribe lexicon --corpus phrases.txt --symbols characters --out lexicon.txt
  eegscribe lexicon --all --out lexicon.txt --json

A line a pronunciation: the word, a tab, its symbols with a space between. Phonemes are those of the
CMU dictionary, English, without stress. Words that have no pronunciation there are named and left
out; to have them in, add their lines."""

SHOWN = 20
"""Missing words that are named; --json names all."""


def add_parser(verbs: Any) -> None:
    """Add the verb's arguments."""
    parser = verbs.add_parser(
        "lexicon",
        help="how words are pronounced, for a decoder that finds words",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("words", type=Path, nargs="?", help="UTF-8 text, one word a line")
    source.add_argument("--corpus", type=Path, nargs="+", help="the words of these texts")
    source.add_argument("--all", action="store_true", help="every word of the dictionary")
    parser.add_argument(
        "--symbols",
        choices=("phonemes", "characters"),
        default="phonemes",
        help="what a word is made of (%(default)s)",
    )
    parser.add_argument("--out", type=Path, required=True, help="the lexicon to write")
    parser.add_argument("--json", action="store_true", help="JSON lines, the last one a summary")
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Run the verb."""
    known = None
    if options.all or options.symbols == "phonemes":
        known = cmu_pronunciations()
    if options.all and known is not None:
        words = sorted(known)
    elif options.words is not None:
        words = read_vocabulary(options.words)
    else:
        words = corpus_words(options.corpus)
    if options.symbols == "characters":
        known = spelled_out(words)
    lines, missing = lexicon_lines(words, known or {})
    if not lines:
        raise RecordingError(f"none of {len(words)} words has a pronunciation: {words[:SHOWN]}")
    vocabulary = VOCABULARY if options.symbols == "phonemes" else characters_of(words)
    lexicon = read_lexicon(lines, vocabulary=vocabulary, where=str(options.out))
    n_bytes = write_text(options.out, "".join(lines))
    summary = {
        "type": "summary",
        "out": str(options.out),
        "words": len(lexicon.texts),
        "pronunciations": len(lines),
        "nodes": lexicon.n_nodes,
        "bytes": n_bytes,
        "vocabulary": list(vocabulary),
        "missing": missing,
    }
    _report(summary, missing, as_json=options.json)
    return 0


def corpus_words(paths: Sequence[Path]) -> list[str]:
    """Return the words of texts, those that come most often first.

    Raises:
        RecordingError: a text cannot be read, or there is no word.
    """
    counts: dict[str, int] = {}
    for path in paths:
        for phrase in read_phrases(path):
            for word in split_words(phrase):
                counts[word] = counts.get(word, 0) + 1
    if not counts:
        raise RecordingError(f"{paths[0]}: no words, expected text")
    return sorted(counts, key=lambda word: (-counts[word], word))


def characters_of(words: Sequence[str]) -> tuple[str, ...]:
    """Return the blank, the characters of the words, and the space between them."""
    return ("", *sorted({c for word in words for c in word}), " ")


def _report(summary: dict[str, Any], missing: list[str], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(summary))
        return
    print(
        f"{summary['out']}: {summary['words']} words, {summary['pronunciations']} pronunciations, "
        f"{summary['nodes']} nodes, {summary['bytes'] / 1e6:.2f} MB; "
        f"{len(summary['vocabulary'])} outputs of a network"
    )
    if missing:
        more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
        print(f"{len(missing)} without pronunciation: {', '.join(missing[:SHOWN])}{more}")
