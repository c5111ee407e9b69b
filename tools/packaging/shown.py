"""A bundle of the store in words: a row of a table, a page, or JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.spec import CtcDecoder, Seq2SeqDecoder, SlidingWindow

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from models.manifest import Manifest
    from tools.packaging.inventory import Entry

HEADER = ("name", "digest", "head", "rate", "channels", "precision", "size", "reads EEG", "made")
RIGHT = frozenset({"rate", "channels", "size"})


def short(entry: Entry) -> tuple[str, ...]:
    """Return one row of the table."""
    name = ", ".join(entry.names) or "-"
    digest = entry.sha256[:12]
    if entry.manifest is None:
        return (name, digest, f"! {entry.problem}")
    manifest = entry.manifest
    spec = manifest.pipeline
    return (
        name,
        digest,
        head(manifest),
        f"{spec.rate_hz:g} Hz",
        str(len(spec.channels)),
        manifest.model.precision,
        size(entry.size_bytes or 0),
        manifest.evaluation.verdict,
        manifest.created[:10],
    )


def columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the table; a row of fewer cells runs on after its last one."""
    whole = [row for row in (HEADER, *rows) if len(row) == len(HEADER)]
    widths = [max(len(row[k]) for row in whole) for k in range(len(HEADER))]
    widths[0] = max(len(row[0]) for row in (HEADER, *rows))
    for row in (HEADER, *rows):
        cells = (
            cell.rjust(width) if title in RIGHT and len(row) == len(HEADER) else cell.ljust(width)
            for cell, width, title in zip(row, widths, HEADER, strict=False)
        )
        yield "  ".join(cells).rstrip()


def lines(entry: Entry) -> Iterator[str]:
    """Yield all of a manifest that a person asks for."""
    manifest = entry.manifest
    if manifest is None:
        yield f"{entry.sha256}: {entry.problem}"
        return
    for title, text in _facts(entry, manifest):
        yield f"{title:11} {text}"


def described(entry: Entry, *, is_whole: bool = False) -> dict[str, Any]:
    """Return the same for programs; the whole manifest on request."""
    manifest = entry.manifest
    known: dict[str, Any] = {
        "sha256": entry.sha256,
        "names": list(entry.names),
        "path": str(entry.path),
        "size_bytes": entry.size_bytes,
        "problem": entry.problem,
    }
    if manifest is None:
        return known
    known |= {
        "head": head(manifest),
        "rate_hz": manifest.pipeline.rate_hz,
        "n_channels": len(manifest.pipeline.channels),
        "precision": manifest.model.precision,
        "verdict": manifest.evaluation.verdict,
        "created": manifest.created,
    }
    return known | ({"manifest": msgspec.to_builtins(manifest)} if is_whole else {})


def head(manifest: Manifest) -> str:
    """Return what the model's output means."""
    decoder = manifest.pipeline.decoder
    if isinstance(decoder, CtcDecoder):
        return "ctc"
    return "seq2seq" if isinstance(decoder, Seq2SeqDecoder) else "selection"


def size(n_bytes: int) -> str:
    """Return a size as people say it."""
    return f"{n_bytes / 1e6:.1f} MB" if n_bytes >= 1e5 else f"{n_bytes / 1e3:.1f} kB"


def _facts(entry: Entry, manifest: Manifest) -> Iterator[tuple[str, str]]:
    spec, origin = manifest.pipeline, manifest.provenance
    yield "names", ", ".join(entry.names) or "none"
    yield "digest", entry.sha256
    yield "file", f"{entry.path} ({size(entry.size_bytes or 0)})"
    yield "made", f"{manifest.created} as {manifest.name!r} by: {origin.command}"
    yield "from", f"bundle {origin.parent}" if origin.parent else "no other bundle"
    for name, digest in origin.data.items():
        yield "", f"{name} ({digest[:12]})"
    yield (
        "signal",
        f"{len(spec.channels)} channels at {spec.rate_hz:g} Hz: " + " ".join(spec.channels),
    )
    if isinstance(spec.window, SlidingWindow):
        window = f"{spec.window.window_samples} samples every {spec.window.hop_samples}"
    else:
        window = f"{spec.window.length_samples} samples after a stimulus"
    yield "window", window
    symbols = " ".join(symbol or "''" for symbol in spec.vocabulary[:60])
    more = " …" if len(spec.vocabulary) > 60 else ""
    yield "head", f"{head(manifest)} of {len(spec.vocabulary)} symbols: {symbols}{more}"
    file = manifest.model
    state = f", {len(file.state)} states carried" if file.state else ""
    yield (
        "model",
        f"{file.path}, {file.precision}: {file.input.shape} to {file.output.shape}{state}",
    )
    if manifest.network is not None:
        yield "network", f"{manifest.network.family}, its weights kept for further training"
    done = manifest.optimisation
    if done.sparsity:
        yield "sparsity", f"{done.sparsity:.0%}"
    if done.steps:
        yield "steps", ", ".join(done.steps)
    if done.fallback is not None:
        yield "fallback", f"{done.fallback.name} ({done.fallback.sha256})"
    for name, ms in done.latency_ms.items():
        yield "latency", f"{name} {ms:.3g} ms, where it was made"
    yield "verdict", manifest.evaluation.verdict
    for name, listed in manifest.files.items():
        yield "holds", f"{name} ({size(listed.size)})"
