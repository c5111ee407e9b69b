"""Rows of a report, made up."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tools.evaluation.rows import Row

SYMBOLS = ("A", "B", "C")


def row(number: int = 0, **known: Any) -> Row:
    """A row, of the recording "r", a second long and a second after the one before it."""
    given: dict[str, Any] = {
        "recording": "r",
        "samples": (250 * number, 250 * number + 250),
        "start_s": float(number),
        "duration_s": 1.0,
        "reference": "A",
        "hypothesis": "A",
    }
    return Row(number=number, **given | known)


def selection(
    number: int, reference: str, posteriors: dict[str, float], *, above: float = 0.0, **known: Any
) -> Row:
    """A selection that was written if the greatest posterior reached ``above``."""
    leading = max(posteriors, key=posteriors.__getitem__)
    hypothesis = leading if posteriors[leading] >= above else ""
    return row(
        number,
        reference=reference,
        hypothesis=hypothesis,
        leading=leading,
        posteriors=posteriors,
        **known,
    )


def of_scores(scores: list[float], rights: list[bool], **known: Any) -> list[Row]:
    """Selections of A or B whose leading symbol A has these posteriors, as if of many symbols."""
    return [
        selection(k, "A" if right else "B", {"A": score, "B": 0.0}, **known)
        for k, (score, right) in enumerate(zip(scores, rights, strict=True))
    ]


def selections(*, least: int = 1, most: int = 40) -> st.SearchStrategy[list[Row]]:
    """Selections of three symbols, many of them with equal posteriors, some withheld."""
    share = st.integers(0, 4)
    shares = st.tuples(share, share, share).filter(any)
    one = st.tuples(st.sampled_from(SYMBOLS), shares, st.sampled_from(("r", "s", "t")))

    def rows(drawn: list[tuple[str, tuple[int, ...], str]], above: float) -> list[Row]:
        return [
            selection(
                k,
                reference,
                {s: n / sum(parts) for s, n in zip(SYMBOLS, parts, strict=True)},
                above=above,
                recording=name,
            )
            for k, (reference, parts, name) in enumerate(drawn)
        ]

    several = st.lists(one, min_size=least, max_size=most)
    return st.builds(rows, several, st.sampled_from((0.0, 0.5)))
