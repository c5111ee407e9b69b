"""What goes on around a foreign model: a small TOML file and the command line make a pipeline."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal

import msgspec

from pipeline.design_band import design
from pipeline.errors import RecordingError, UsageError
from pipeline.spec import (
    Band,
    CtcDecoder,
    Decoder,
    EventWindow,
    Normalise,
    PipelineSpec,
    Reference,
    SelectionDecoder,
    Seq2SeqDecoder,
    Settings,
    SlidingWindow,
    Window,
)

Head = Literal["ctc", "seq2seq", "selection"]

BLANK = "<blank>"
END = "<end>"
SPACE = "<space>"

DECODERS: dict[Head, type[Decoder]] = {
    "ctc": CtcDecoder,
    "seq2seq": Seq2SeqDecoder,
    "selection": SelectionDecoder,
}


class ForeignPipeline(Settings, frozen=True, kw_only=True):
    """The file ``--pipeline``: what the model was trained behind. By default nothing at all."""

    reference: Reference = Reference()
    bands: tuple[Band, ...] = (Band(low_hz=None, high_hz=None),)
    normalise: Normalise = Normalise()
    window: Window | None = None
    decoder: Decoder | None = None
    groups: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    lm_symbols: dict[str, str] = msgspec.field(default_factory=dict)
    markers: dict[str, str] = msgspec.field(default_factory=dict)


def read_pipeline(path: Path | None, *, head: Head) -> ForeignPipeline:
    """Return the file's settings, all defaults where there is no file; ``head`` need not be in it.

    Raises:
        RecordingError: it cannot be read, is no TOML, or has unknown keys or wrong types.
    """
    raw: dict[str, Any] = {}
    if path is not None:
        try:
            raw = tomllib.loads(path.read_text("utf-8"))
        except OSError as error:
            raise RecordingError(f"{path}: cannot be read ({error.strerror})") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise RecordingError(f"{path}: not TOML ({error})") from None
    if isinstance(raw.get("decoder"), dict):
        raw["decoder"] = {"head": head} | raw["decoder"]
    try:
        found = msgspec.convert(raw, ForeignPipeline)
    except msgspec.ValidationError as error:
        raise RecordingError(f"{path}: {error}") from None
    if found.decoder is not None and not isinstance(found.decoder, DECODERS[head]):
        raise RecordingError(f"{path}: decoder.head: wanted {head!r}, as --head says")
    return found


def read_vocabulary(path: Path, *, head: Head) -> tuple[tuple[str, ...], tuple[int, ...] | None]:
    """Return symbols in our order, and the places of the model's columns in it if they differ.

    One symbol a line, in the model's order; ``<space>`` is a space, ``<blank>`` the blank of a
    ``ctc`` model, which comes first with us, ``<end>`` start and end of a ``seq2seq`` one.

    Raises:
        RecordingError: it cannot be read; a symbol is twice or empty; a ``ctc`` model without a
            blank, a ``seq2seq`` one whose first is not the end, another with either.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise RecordingError(f"{path}: byte {error.start} is not UTF-8 text") from None
    special = {"ctc": BLANK, "seq2seq": END}.get(head)
    symbols = [{special: "", SPACE: " "}.get(line, line) for line in lines]
    for k, line in enumerate(lines):
        if not line:
            raise RecordingError(
                f"{path}, line {k + 1}: empty, wanted a symbol, {SPACE} or {special or 'no more'}"
            )
        if symbols[k] in symbols[:k]:
            raise RecordingError(f"{path}, line {k + 1}: {line!r} is there already")
        if line in {BLANK, END} and line != special:
            raise RecordingError(f"{path}, line {k + 1}: {line} is not of a {head} head")
    if special is not None and "" not in symbols:
        raise RecordingError(f"{path}: wanted {special} on one line")
    if head == "seq2seq" and symbols[0]:
        raise RecordingError(f"{path}: wanted {END} on the first line, for its number goes in, too")
    if head != "ctc" or symbols[0] == "":
        return tuple(symbols), None
    blank = symbols.index("")
    columns = (blank, *(k for k in range(len(symbols)) if k != blank))
    return tuple(symbols[k] for k in columns), columns


def read_channels(text: str) -> tuple[str, ...]:
    """Return channel names: a file's lines, a list with commas, or a count of nameless ones.

    Raises:
        RecordingError: the file is no text.
        UsageError: none at all.
    """
    path = Path(text)
    try:
        if text.isdecimal():
            names = [f"ch{k + 1}" for k in range(min(int(text), 4096))]
        elif path.is_file():
            names = path.read_text("utf-8").split("\n")
        else:
            names = text.split(",")
    except (OSError, UnicodeDecodeError) as error:
        raise RecordingError(f"{path}: cannot be read as text ({error})") from None
    found = tuple(name.strip() for name in names if name.strip())
    if not found:
        raise UsageError(f"--channels: got {text!r}, wanted names, a file of names or a count")
    return found


def make_spec(
    given: ForeignPipeline,
    *,
    head: Head,
    rate_hz: float,
    channels: tuple[str, ...],
    vocabulary: tuple[str, ...],
    n_samples: int | None,
) -> PipelineSpec:
    """Return the pipeline, filters designed; ``n_samples`` is what the model takes, if it is fixed.

    Raises:
        UsageError: neither file nor model say how long a window is; a band that cannot be.
    """
    window = given.window
    if window is None:
        if n_samples is None:
            raise UsageError(
                "--pipeline: no [window], and the model takes any number of samples;"
                " wanted kind, window_samples and hop_samples"
            )
        window = (
            SlidingWindow(window_samples=n_samples, hop_samples=n_samples)
            if head != "selection"
            else EventWindow(
                offset_samples=0, length_samples=n_samples, checkpoints_samples=(n_samples,)
            )
        )
    decoder = given.decoder
    if decoder is None:
        scores: Literal["symbol", "stimulus"] = "stimulus" if given.groups else "symbol"
        decoder = SelectionDecoder(scores=scores) if head == "selection" else DECODERS[head]()
    try:
        return design(
            PipelineSpec(
                rate_hz=rate_hz,
                channels=channels,
                reference=given.reference,
                bands=given.bands,
                normalise=given.normalise,
                window=window,
                decoder=decoder,
                vocabulary=vocabulary,
                groups=given.groups,
                lm_symbols=given.lm_symbols,
                markers=given.markers,
            )
        )
    except (ValueError, ZeroDivisionError) as error:
        raise UsageError(f"--pipeline: {error}") from None


def window_samples(spec: PipelineSpec) -> int:
    """Return how many samples the model sees at once."""
    window = spec.window
    return window.window_samples if isinstance(window, SlidingWindow) else window.length_samples
