"""What a bundle knows of its language: a model of symbols, or words with a model of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.ctc_lexicon import Words
from pipeline.errors import BundleError
from pipeline.language_model import LanguageModel
from pipeline.lexicon import read_lexicon
from pipeline.spec import CtcDecoder
from pipeline.word_language_model import WordLanguageModel

if TYPE_CHECKING:
    from models.bundle import Bundle
    from pipeline.spec import PipelineSpec

LANGUAGE_MODEL = "lm.arpa"
LEXICON = "lexicon.txt"
WORD_MODEL = "words.arpa"


def language_model(bundle: Bundle, spec: PipelineSpec) -> LanguageModel | None:
    """Return the model of symbols, None where there is none or it has no weight.

    Raises:
        BundleError: its file is not a language model.
    """
    if not spec.decoder.lm_weight or finds_words(spec) or LANGUAGE_MODEL not in bundle.files:
        return None
    return LanguageModel.from_arpa(
        _lines(bundle, LANGUAGE_MODEL),
        vocabulary=spec.vocabulary,
        lm_symbols=spec.lm_symbols,
        floor=spec.decoder.lm_floor,
        where=f"{bundle.manifest.name}/{LANGUAGE_MODEL}",
    )


def finds_words(spec: PipelineSpec) -> bool:
    """Say whether the decoder finds words of a lexicon."""
    return isinstance(spec.decoder, CtcDecoder) and spec.decoder.method == "lexicon"


def read_words(bundle: Bundle, spec: PipelineSpec) -> Words | None:
    """Return the words that the decoder finds, None where it finds symbols.

    Raises:
        BundleError: there is no lexicon, or a file is not what its name says.
    """
    if not finds_words(spec):
        return None
    name = bundle.manifest.name
    if LEXICON not in bundle.files:
        raise BundleError(f"{name}: holds no {LEXICON}, decoder.method lexicon wants one")
    lexicon = read_lexicon(
        _lines(bundle, LEXICON), vocabulary=spec.vocabulary, where=f"{name}/{LEXICON}"
    )
    if not spec.decoder.lm_weight or WORD_MODEL not in bundle.files:
        return Words(lexicon)
    lm = WordLanguageModel.from_arpa(
        _lines(bundle, WORD_MODEL),
        words=lexicon.words(),
        floor=spec.decoder.lm_floor,
        where=f"{name}/{WORD_MODEL}",
    )
    return Words(lexicon, lm)


def _lines(bundle: Bundle, file: str) -> list[str]:
    try:
        return bundle.files[file].decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        where = f"{bundle.manifest.name}/{file}"
        raise BundleError(f"{where}: not UTF-8 (byte {error.start})") from None
