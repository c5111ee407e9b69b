"""``eegscribe import-speech``: a bundle from weights of a published speech neuroprosthesis."""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import BundleError, RecordingError
from tools.packaging.speech_bundle import write_speech_bundle

if TYPE_CHECKING:
    from argparse import Namespace

    from torch import Tensor

EXAMPLE = """examples:
  eegscribe import-speech weights.safetensors --day 3 --lexicon lexicon.txt \\
      --words words.arpa --out speech.eegb

Weights are those of GRUDecoder in nejm-brain-to-text. They come as safetensors; a pickle is never
read. Where they were trained, convert a checkpoint once:

  weights = torch.load("best_checkpoint", weights_only=True)["model_state_dict"]
  safetensors.torch.save_file({k: v.contiguous() for k, v in weights.items()},
                              "weights.safetensors")

Lexicon and word model: eegscribe lexicon, eegscribe train-lm --unit word."""


def add_parser(verbs: Any) -> None:
    """Add the verb's arguments."""
    parser = verbs.add_parser(
        "import-speech",
        help="a bundle from weights of a published speech neuroprosthesis",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("weights", type=Path, help="a safetensors file")
    parser.add_argument("--day", type=int, default=0, help="the day whose layer runs (%(default)s)")
    parser.add_argument("--lexicon", type=Path, required=True, help="words in phonemes")
    parser.add_argument("--words", type=Path, help="the word model, ARPA")
    parser.add_argument(
        "--channels", type=Path, help="names of the features, one a line (ch1, ch2, …)"
    )
    parser.add_argument("--out", type=Path, required=True, help="the bundle to write")
    parser.add_argument("--json", action="store_true", help="JSON lines, the last one a summary")
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Run the verb."""
    from models.speech_gru import load_published
    from pipeline.plain_text import shown

    data = _read(options.weights)
    network = load_published(_tensors(data, options.weights), day=options.day)
    lexicon = _read(options.lexicon)
    arpa = None if options.words is None else _read(options.words)
    if options.channels is None:
        channels = [f"ch{k + 1}" for k in range(network.settings.n_inputs)]
    else:
        channels = _text(_read(options.channels), options.channels).split()
    _text(lexicon, options.lexicon)
    used = {options.weights: data, options.lexicon: lexicon}
    if arpa is not None:
        used[options.words] = arpa
    digest = write_speech_bundle(
        options.out,
        network,
        channels=channels,
        lexicon=lexicon,
        arpa=arpa,
        data={
            shown(path.name, is_name=True): hashlib.sha256(raw).hexdigest()
            for path, raw in used.items()
        },
    )
    summary = {
        "type": "summary",
        "out": str(options.out),
        "sha256": digest,
        "day": options.day,
        "days": network.settings.n_days,
        "parameters": sum(p.numel() for p in network.parameters()),
    }
    if options.json:
        print(json.dumps(summary))
    else:
        print(
            f"{options.out}: day {options.day} of {summary['days']}, "
            f"{summary['parameters'] / 1e6:.1f} million parameters, sha256 {digest[:12]}…"
        )
    return 0


def _tensors(data: bytes, path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return load(data)
    except SafetensorError as error:
        raise BundleError(
            f"{path}: not safetensors ({error}); a pickle is never read, see --help"
        ) from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RecordingError(f"{path}: {error.strerror}") from None


def _text(data: bytes, path: Path) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RecordingError(f"{path}: byte {error.start} is not UTF-8 text") from None
