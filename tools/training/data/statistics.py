"""What a corpus holds, in numbers: symbols, lengths, people and sessions, and how it is split."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tools.training.data.corpus import Corpus
    from tools.training.data.cuts import Cut

UNKNOWN_SUBJECT = "unknown"


def corpus_statistics(
    corpus: Corpus, cuts: Sequence[Cut], parts: Mapping[str, Sequence[int]]
) -> dict[str, Any]:
    """Return the statistics as plain values, for JSON.

    Args:
        corpus: the recordings.
        cuts: all of their examples.
        parts: name of each part to the indices of its cuts.
    """
    texts = [cut for cut in cuts if cut.text]
    counts = Counter(symbol for cut in texts for symbol in cut.text)
    n_symbols = sum(counts.values())
    people = sorted({(r.subject, r.session) for r in corpus.recordings})
    return {
        "recordings": len(corpus.recordings),
        "rate_hz": corpus.rate_hz,
        "channels": list(corpus.channels),
        "recorded_s": sum(r.n_samples for r in corpus.recordings) / corpus.rate_hz,
        **_amounts(cuts, corpus.rate_hz),
        "symbols": {
            symbol: {"count": count, "share": count / n_symbols}
            for symbol, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
        },
        "text_s": spread([cut.text_samples / corpus.rate_hz for cut in texts]),
        "text_symbols": spread([float(len(cut.text)) for cut in texts]),
        "symbols_per_s": n_symbols / (sum(cut.text_samples for cut in texts) / corpus.rate_hz),
        "sessions": [
            {
                "subject": subject or UNKNOWN_SUBJECT,
                "session": session,
                "recordings": sum((r.subject, r.session) == who for r in corpus.recordings),
                **_amounts([c for c in cuts if (c.subject, c.session) == who], corpus.rate_hz),
            }
            for who in people
            for subject, session in (who,)
        ],
        "split": {
            name: _amounts([cuts[k] for k in chosen], corpus.rate_hz)
            for name, chosen in parts.items()
        },
        "problems": list(corpus.problems),
    }


def _amounts(cuts: Sequence[Cut], rate_hz: float) -> dict[str, Any]:
    """Return how much there is of texts and of rest."""
    texts = [cut for cut in cuts if cut.text]
    rests = [cut for cut in cuts if not cut.text]
    return {
        "texts": len(texts),
        "distinct_texts": len({cut.text for cut in texts}),
        "text_total_s": sum(cut.text_samples for cut in texts) / rate_hz,
        "rests": len(rests),
        "rest_total_s": sum(cut.n_samples for cut in rests) / rate_hz,
    }


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return least, median, mean and most of some values."""
    return {
        "least": min(values),
        "median": float(np.median(values)),
        "mean": float(np.mean(values)),
        "most": max(values),
    }


def statistics_lines(found: Mapping[str, Any]) -> list[str]:
    """Return the statistics as lines of text."""
    lines = [
        f"{found['recordings']} recordings, {_minutes(found['recorded_s'])}, "
        f"{len(found['channels'])} channels at {found['rate_hz']:g} Hz",
        f"{found['texts']} texts, {found['distinct_texts']} distinct: "
        f"{_range(found['text_s'], 's')}, {_range(found['text_symbols'], 'symbols')}, "
        f"{found['symbols_per_s']:.2f} symbols a second",
        "",
        f"{len(found['symbols'])} symbols",
    ]
    shares = [f"{symbol!r} {of['share']:6.2%}" for symbol, of in found["symbols"].items()]
    lines += ["  " + "   ".join(shares[k : k + 6]) for k in range(0, len(shares), 6)]
    title = f"{'subject':12} {'session':16} {'recordings':>10} {'texts':>6} {'distinct':>8}"
    lines += ["", f"{title} {'text min':>8} {'rests':>6} {'rest min':>8}"]
    for row in found["sessions"]:
        head = f"{row['subject']:12} {row['session']:16} {row['recordings']:10}"
        lines.append(f"{head} {_amounts_line(row)}")
    lines.append("")
    for name, row in found["split"].items():
        lines.append(f"{name:12} {'':16} {'':10} {_amounts_line(row)}")
    return lines


def _amounts_line(row: Mapping[str, Any]) -> str:
    return (
        f"{row['texts']:6} {row['distinct_texts']:8} {row['text_total_s'] / 60:8.1f} "
        f"{row['rests']:6} {row['rest_total_s'] / 60:8.1f}"
    )


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f} min"


def _range(spread: Mapping[str, float], unit: str) -> str:
    return f"{spread['least']:.3g} to {spread['most']:.3g} {unit} (median {spread['median']:.3g})"
