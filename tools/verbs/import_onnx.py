"""``eegscribe import-onnx``: a bundle from anybody's ONNX model, checked by running it."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import UsageError

if TYPE_CHECKING:
    from argparse import Namespace

EXAMPLE = """examples:
  eegscribe import-onnx speech.onnx --head ctc --layout batch,channels,time \\
      --output-kind logits --vocabulary letters.txt --rate 250 --channels 64 \\
      --pipeline speech.toml --out speech.eegb
  eegscribe import-onnx p300.onnx --head selection --layout batch,1,channels,time \\
      --output-layout batch,symbols --output-kind logits --vocabulary keys.txt \\
      --rate 256 --channels Fz,Cz,Pz,Oz --pipeline p300.toml --out p300.eegb

The vocabulary has a symbol a line, in the order of the model's output: <space> is a space, <blank>
the blank of a ctc model. Axes of an input are batch, time, channels, bands and 1; of an output
batch, time, symbols and 1. A state goes in and comes out: --state h0=hn; it begins with zeros.

--pipeline says what the model was trained behind; without it, nothing is filtered or normalised:

  [[bands]]
  low_hz = 0.5
  high_hz = 40.0
  notch_hz = 50.0
  [normalise]
  kind = "running"
  [window]
  kind = "sliding"           # or "event", with offset, length and checkpoints in samples
  window_samples = 250
  hop_samples = 50
  lookahead_samples = 50
  [decoder]
  beam = 16

For one score a stimulus (P300), [groups] names what each stimulus flashes.

A seq2seq model is two files. MODEL.onnx encodes a window: a memory, batch,time,symbols. STEP.onnx
takes tokens (rows), position (1), memory and its caches (rows first), and gives log_probs (rows,
symbols), of --output-kind, and attention (rows, time), each under just that name; --cache IN=OUT
pairs its caches. <end>, first in the vocabulary, is start and end."""


def add_parser(verbs: Any) -> None:
    """Add the verb's arguments."""
    parser = verbs.add_parser(
        "import-onnx",
        help="a bundle from anybody's ONNX model",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("model", type=Path, metavar="MODEL.onnx")
    add(
        "--head",
        choices=("ctc", "seq2seq", "selection"),
        required=True,
        help="what its output means",
    )
    add("--layout", default="batch,time,channels", help="axes of its input (%(default)s)")
    add("--output-layout", help="axes of its output (ctc batch,time,symbols; else batch,symbols)")
    add(
        "--output-kind",
        choices=("logits", "probabilities", "log-probabilities"),
        required=True,
        help="checked by running it",
    )
    add("--vocabulary", type=Path, required=True, metavar="FILE", help="a symbol a line")
    add("--rate", type=float, required=True, metavar="HZ", help="samples a second")
    add("--channels", required=True, help="names with commas, a file of names, or how many")
    add("--pipeline", type=Path, metavar="P.toml", help="filters, normalisation, window, decoder")
    add("--input", metavar="NAME", help="which input takes the samples, if there are several")
    add("--output", metavar="NAME", help="which output is meant, if there are several")
    add("--state", action="append", default=[], metavar="IN=OUT", help="a state that is carried")
    add("--step", type=Path, metavar="STEP.onnx", help="seq2seq: its step decoder")
    add("--cache", action="append", default=[], metavar="IN=OUT", help="seq2seq: the step's caches")
    add("--max-symbols", type=int, default=64, help="seq2seq: most symbols a window (%(default)s)")
    add("--name", help="of the bundle (that of the file)")
    add("--out", type=Path, required=True, metavar="B", help="the bundle to write")
    add("--force", action="store_true", help="replace a bundle that is there")
    add("--json", action="store_true", help="one line of JSON, the summary")
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Run the verb."""
    from models.onnx_layout import INPUT_AXES, OUTPUT_AXES, Foreign, parse_axes
    from pipeline.plain_text import shown
    from tools.packaging import foreign_bundle, foreign_model, foreign_pipeline
    from tools.packaging.output import check_out

    if not (math.isfinite(options.rate) and options.rate > 0):
        raise UsageError(f"--rate: got {options.rate}, wanted samples a second above 0")
    check_out(options.out, parent=None, is_forced=options.force)
    head, states = options.head, tuple(map(_pair, options.state))
    input_axes = parse_axes(
        options.layout,
        known=INPUT_AXES,
        needed=("batch", "time", "channels"),
        where="--layout",
    )
    text = options.output_layout or (
        "batch,symbols" if head == "selection" else "batch,time,symbols"
    )
    needed = ("batch", "symbols") if head == "selection" else ("batch", "time", "symbols")
    output_axes = parse_axes(text, known=OUTPUT_AXES, needed=needed, where="--output-layout")
    vocabulary, columns = foreign_pipeline.read_vocabulary(options.vocabulary, head=head)
    given = foreign_pipeline.read_pipeline(options.pipeline, head=head)
    opened = foreign_model.open_foreign(options.model, states=states)
    samples = foreign_model.the_one(options.input, opened.inputs, what="input")
    others = [name for name in opened.inputs if name != samples]
    if others:
        raise UsageError(
            f"--state: nothing goes into {', '.join(others)}, wanted IN=OUT of each that is a"
            " state, and an export without what is none (such as lengths)"
        )
    spec = foreign_pipeline.make_spec(
        given,
        head=head,
        rate_hz=options.rate,
        channels=foreign_pipeline.read_channels(options.channels),
        vocabulary=vocabulary,
        n_samples=foreign_bundle.fixed_time(opened, samples, input_axes),
    )
    sizes = {
        "batch": 1,
        "time": foreign_pipeline.window_samples(spec),
        "bands": len(spec.bands),
        "channels": len(spec.channels) * (1 if "bands" in input_axes else len(spec.bands)),
    }
    if "bands" not in input_axes:
        sizes["bands"] = 1
    done = foreign_bundle.import_model(
        opened,
        spec,
        Foreign(
            input=samples,
            output=foreign_model.the_one(options.output, opened.outputs, what="output"),
            input_axes=input_axes,
            output_axes=output_axes,
            kind="memory" if head == "seq2seq" else options.output_kind,
            sizes=sizes,
            states=states,
            columns=columns,
            has_odds=bool(given.groups),
        ),
        origin=foreign_bundle.Origin(
            file=shown(options.model.name, is_name=True),
            input_axes=input_axes,
            output_axes=output_axes,
            kind=options.output_kind,
        ),
        name=shown(options.name or options.model.stem, is_name=True),
        out=options.out,
        step=_step(options),
    )
    _tell(options, done)
    return 0


def _step(options: Namespace) -> Any:
    from tools.packaging import foreign_bundle, foreign_model

    if (options.head == "seq2seq") != (options.step is not None):
        raise UsageError(f"--step: wanted with --head seq2seq and only then, got {options.head}")
    if options.step is None:
        return None
    caches = tuple(map(_pair, options.cache))
    return foreign_bundle.ForeignStep(
        opened=foreign_model.open_foreign(options.step, states=caches),
        file=options.step.name,
        caches=caches,
        kind=options.output_kind,
        max_symbols=options.max_symbols,
    )


def _pair(text: str) -> tuple[str, str]:
    name, equals, following = text.partition("=")
    if not (name and equals and following):
        raise UsageError(f"--state {text}: wanted IN=OUT, an input and an output")
    return name, following


def _tell(options: Namespace, done: Any) -> None:
    model = done.manifest.model
    if options.json:
        summary = {
            "out": str(options.out),
            "sha256": done.sha256,
            "input": model.input.shape,
            "output": model.output.shape,
            "states": len(model.state),
            "difference": done.difference,
        }
        print(json.dumps({"type": "summary", **summary}))
        return
    print(f"{options.out}: {model.input.shape} to {model.output.shape}, sha256 {done.sha256[:12]}")
    print(f"  the same as {options.model.name} within {done.difference:.1g} on random windows")
    if options.pipeline is None:
        print("  no --pipeline: EEG goes in unfiltered, in microvolts")
    print("  not evaluated: whether it reads EEG is not known")
