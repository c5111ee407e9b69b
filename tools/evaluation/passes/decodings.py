"""The decodings that are compared: as the bundle says, greedy, and with the language model off.

Where two are the same, the second is None and nothing is decoded twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.spec import CtcDecoder, SelectionDecoder
from runtime.engine import open_engine

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from runtime.engine import Engine
    from tools.evaluation.edits import Unit

GREEDY = {"method": "greedy", "lm_weight": "0"}
WITHOUT_LM = {"lm_weight": "0"}


@dataclass(frozen=True, slots=True)
class Decodings:
    """Engines of one bundle.

    ``greedy`` is None where the bundle's own decoding is greedy, or where no symbol by itself is
    text: with a lexicon, and for selections. ``without_lm`` is None where there is none in use.
    """

    bundle: Engine
    greedy: Engine | None
    without_lm: Engine | None

    @property
    def unit(self) -> Unit:
        """What the primary error counts, by head and vocabulary and nothing else."""
        return primary_unit(self.bundle)


def open_decodings(path: Path, *, decoder: Mapping[str, str]) -> Decodings:
    """Open a bundle as often as it is decoded differently.

    Args:
        path: folder or ``.eegb`` file.
        decoder: settings that replace the bundle's in all decodings, as text.

    Raises:
        BundleError: anything about the bundle.
        UsageError: ``decoder`` is none of a decoder's settings.
    """
    own = open_engine(path, decoder=decoder)
    pinned = own.bundle.sha256

    def changed(changes: Mapping[str, str]) -> Engine:
        return open_engine(path, pinned_sha256=pinned, decoder={**decoder, **changes})

    return Decodings(
        bundle=own,
        greedy=changed(GREEDY) if _can_be_greedy(own) else None,
        without_lm=changed(WITHOUT_LM) if uses_lm(own) else None,
    )


def uses_lm(engine: Engine) -> bool:
    """Say whether a language model has a say in what is written."""
    has = engine.lm is not None or (engine.words is not None and engine.words.lm is not None)
    return has and engine.spec.decoder.lm_weight != 0.0


def _can_be_greedy(engine: Engine) -> bool:
    decoder = engine.spec.decoder
    if isinstance(decoder, SelectionDecoder) or decoder.method in {"greedy", "lexicon"}:
        return False
    return not (isinstance(decoder, CtcDecoder) and decoder.beam == 1 and engine.lm is None)


def primary_unit(engine: Engine) -> Unit:
    """Return selections for spellers, words where symbols or a lexicon are words, or characters."""
    spec = engine.spec
    if isinstance(spec.decoder, SelectionDecoder):
        return "selections"
    if isinstance(spec.decoder, CtcDecoder) and spec.decoder.method == "lexicon":
        return "words"
    written = [symbol for symbol in spec.vocabulary if symbol and not symbol.startswith("<")]
    n_long = sum(len(symbol) > 1 for symbol in written)
    return "words" if 2 * n_long > len(written) else "characters"
