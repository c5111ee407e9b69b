"""Outputs to be judged: one JSON object a line, what was meant beside what was written.

Only ``reference`` and ``hypothesis`` are needed; keys that we do not know are passed over, so any
paper's file can be put to the test.
"""

from __future__ import annotations

import string
from typing import TYPE_CHECKING, Literal

import msgspec

from pipeline.errors import RecordingError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

Normalisation = Literal["none", "basic"]

MOST_BYTES = 1 << 30
_DELETED = str.maketrans("", "", string.punctuation)


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """What was meant and what was written, of one sentence or one selection.

    ``hypothesis`` is empty where nothing was written. ``without_lm``: the same with the language
    model off. ``teacher_forced``: written while each true word was shown to the model, which no
    user can do.
    """

    reference: str
    hypothesis: str
    without_lm: str | None = None
    teacher_forced: str | None = None
    subject: str = ""
    session: str = ""
    recording: str = ""
    duration_s: float | None = None


def read_pairs(path: Path) -> list[Pair]:
    """Return the pairs of a JSON Lines file.

    Raises:
        RecordingError: the file cannot be read or holds none, or a line is not a pair; names it.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise RecordingError(f"{path}: is over 1 GiB, wanted a file of pairs")
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read ({error.strerror})") from None
    decoder = msgspec.json.Decoder(Pair)
    pairs = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            pairs.append(decoder.decode(line))
        except msgspec.DecodeError as error:
            raise RecordingError(
                f"{path}: line {number}: {error}; wanted an object with reference and hypothesis"
            ) from None
        except UnicodeDecodeError:
            raise RecordingError(f"{path}: line {number}: is not UTF-8") from None
    if not pairs:
        raise RecordingError(f"{path}: holds no pairs, wanted one JSON object a line")
    return pairs


def normalise(text: str, how: Normalisation) -> str:
    """Return ``text`` as it is compared.

    ``basic``: lower case, ASCII punctuation deleted, white space as single spaces.
    """
    if how == "none":
        return text
    return " ".join(text.lower().translate(_DELETED).split())


def normalised(pairs: Iterable[Pair], how: Normalisation) -> tuple[list[Pair], int]:
    """Return the pairs as they are compared, less those whose reference is then empty; how many."""
    found = [
        msgspec.structs.replace(
            pair,
            reference=normalise(pair.reference, how),
            hypothesis=normalise(pair.hypothesis, how),
            without_lm=_maybe(pair.without_lm, how),
            teacher_forced=_maybe(pair.teacher_forced, how),
        )
        for pair in pairs
    ]
    kept = [pair for pair in found if pair.reference]
    return kept, len(found) - len(kept)


def _maybe(text: str | None, how: Normalisation) -> str | None:
    return None if text is None else normalise(text, how)


def matched(pairs: Sequence[Pair], others: Sequence[Pair], *, where: str) -> list[Pair]:
    """Return ``others`` in the order of ``pairs``: what another input gave for the same rows.

    Both files hold the same references equally often; of equal ones, order decides.

    Raises:
        RecordingError: they do not.
    """
    waiting: dict[tuple[str, str, str], list[Pair]] = {}
    for other in reversed(others):
        waiting.setdefault((other.reference, other.subject, other.session), []).append(other)
    found = []
    for pair in pairs:
        left = waiting.get((pair.reference, pair.subject, pair.session))
        if not left:
            raise RecordingError(
                f"{where}: has no row for the reference {pair.reference[:60]!r}, wanted the same"
                " references as in the outputs that are judged"
            )
        found.append(left.pop())
    n_left = sum(map(len, waiting.values()))
    if n_left:
        raise RecordingError(
            f"{where}: has {n_left} rows more than the outputs that are judged, wanted the same"
            " references"
        )
    return found
