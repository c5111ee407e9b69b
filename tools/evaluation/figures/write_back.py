"""A commit threshold, chosen on saved rows, put into the bundle that decoded them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from models.bundle import Bundle, load_bundle, write_bundle
from models.manifest import Evaluation
from pipeline.errors import BundleError
from pipeline.spec import SelectionDecoder
from runtime.store import is_stored
from tools.evaluation.verdict import KEY

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from tools.evaluation.rows import Row


@dataclass(frozen=True, slots=True)
class WrittenBack:
    """What changed in a bundle; ``verdict`` is the one that was taken out."""

    abstain_below: float
    was: float
    sha256: str
    was_sha256: str
    verdict: str
    warnings: tuple[str, ...]


COMMAND = "eegscribe sweep --best "


def selection_bundle(path: Path, rows: Sequence[Row], *, evaluated: Collection[str] = ()) -> Bundle:
    """Return the bundle at ``path``, which the threshold of ``rows`` may be written to.

    Args:
        path: a folder or ``.eegb`` file.
        rows: what it decoded.
        evaluated: digests that it had when it did, where they are known.

    Raises:
        BundleError: it cannot be read; its head selects nothing; it is another bundle than the one
            that was evaluated, with or without a threshold written back since.
    """
    if is_stored(path):
        raise BundleError(f"{path}: bundles in the store are never altered, wanted the file")
    bundle = load_bundle(path)
    known = {bundle.sha256}
    if bundle.manifest.provenance.command.rpartition("; ")[2].startswith(COMMAND):
        known.add(bundle.manifest.provenance.parent or "")
    if evaluated and known.isdisjoint(evaluated):
        wanted = ", ".join(sha256[:12] for sha256 in evaluated)
        raise BundleError(
            f"{path}: digest {bundle.sha256[:12]} is not of the bundle that decoded the rows,"
            f" wanted {wanted}"
        )
    spec = bundle.manifest.pipeline
    if not isinstance(spec.decoder, SelectionDecoder):
        # Rows of sentences are sums of many commits: no threshold on them is one of a commit.
        raise BundleError(f"{path}: writes sentences, wanted one that selects symbols")
    told = {symbol for row in rows for symbol in row.posteriors or ()}
    if not told:
        raise BundleError(
            f"{path}: decides by posteriors, and the rows hold confidences alone, wanted posteriors"
        )
    if not told <= set(spec.vocabulary):
        foreign = sorted(told - set(spec.vocabulary))
        raise BundleError(
            f"{path}: has no symbol {foreign[0]!r}, wanted the bundle that decoded the rows"
        )
    return bundle


def write_back(path: Path, bundle: Bundle, *, abstain_below: float, metric: str) -> WrittenBack:
    """Write ``bundle`` to ``path`` with its commit threshold, whole or not at all.

    The decoder that was evaluated was another one, so the verdict and what it rests on are taken
    out; what training wrote about the model stays. The parent is the bundle that was evaluated,
    however often a threshold is written back.

    Raises:
        BundleError: a folder in the way is no bundle.
        OSError: the disk.
    """
    manifest = bundle.manifest
    spec = manifest.pipeline
    old = spec.decoder
    verdict = manifest.evaluation.verdict
    if not isinstance(old, SelectionDecoder):
        raise TypeError(f"write_back: got {type(old).__name__}, wanted SelectionDecoder")
    sha256 = bundle.sha256
    if old.abstain_below != abstain_below:
        before, _, last = manifest.provenance.command.rpartition("; ")
        again = last.startswith(COMMAND)
        provenance = replace(
            manifest.provenance,
            command=f"{before if again else manifest.provenance.command}; {COMMAND}{metric}",
            parent=manifest.provenance.parent if again else bundle.sha256,
        )
        scores = {k: v for k, v in manifest.evaluation.scores.items() if k != KEY}
        changed = replace(
            manifest,
            pipeline=replace(spec, decoder=replace(old, abstain_below=abstain_below)),
            evaluation=Evaluation(scores=scores),
            provenance=provenance,
        )
        # What a link points to is replaced, not the link.
        sha256 = write_bundle(path.resolve(), changed, bundle.files)
    return WrittenBack(
        abstain_below=abstain_below,
        was=old.abstain_below,
        sha256=sha256,
        was_sha256=bundle.sha256,
        verdict=verdict,
        warnings=tuple(_warnings(old, abstain_below)),
    )


def _warnings(decoder: SelectionDecoder, abstain_below: float) -> list[str]:
    found = []
    if decoder.threshold <= 1.0 and abstain_below > decoder.threshold:
        found.append(
            f"decoder.threshold is {decoder.threshold:g}: a trial ends as soon as a posterior"
            f" reaches it, and is then withheld below {abstain_below:g}"
        )
    if decoder.lm_weight:
        found.append(
            "the language model hears what was written: with other symbols withheld its later"
            " posteriors may differ from the rows'"
        )
    return found
