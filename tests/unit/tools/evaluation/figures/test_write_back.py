from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from models.bundle import load_bundle, write_bundle
from models.manifest import Evaluation
from pipeline.errors import BundleError
from pipeline.spec import SelectionDecoder
from tests.bundles import make_bundle
from tests.report_rows import row, selection
from tools.evaluation.figures.write_back import selection_bundle, write_back

ROWS = [selection(0, "A", {"A": 0.6, "B": 0.4})]


@pytest.fixture
def judged(tmp_path: Path) -> Path:
    """A speller that was found to read EEG."""
    path = tmp_path / "b.eegb"
    make_bundle(path, head="selection")
    bundle = load_bundle(path)
    scores = {"held_out": 0.1, "evaluation": {"wer": 0.2}}
    evaluation = Evaluation(verdict="reads EEG", scores=scores)
    manifest = msgspec.structs.replace(bundle.manifest, evaluation=evaluation)
    write_bundle(path, manifest, bundle.files)
    return path


def test_only_the_threshold_the_verdict_and_the_provenance_change(judged: Path) -> None:
    before = selection_bundle(judged, ROWS)
    written = write_back(judged, before, abstain_below=0.6, metric="mcc")
    after = load_bundle(judged)
    assert after.sha256 == written.sha256 != before.sha256 == written.was_sha256
    assert (written.was, written.abstain_below, written.verdict) == (0.0, 0.6, "reads EEG")
    decoder = after.manifest.pipeline.decoder
    assert isinstance(decoder, SelectionDecoder)
    assert decoder.abstain_below == 0.6
    assert after.manifest.evaluation == Evaluation(scores={"held_out": 0.1})
    assert after.manifest.provenance.parent == before.sha256
    assert after.manifest.provenance.command.endswith("; eegscribe sweep --best mcc")
    assert after.files == before.files
    same = msgspec.structs.replace(
        after.manifest,
        pipeline=before.manifest.pipeline,
        evaluation=before.manifest.evaluation,
        provenance=before.manifest.provenance,
    )
    assert same == before.manifest


def test_a_threshold_may_be_written_back_again_and_the_parent_is_what_was_evaluated(
    judged: Path,
) -> None:
    before = selection_bundle(judged, ROWS)
    evaluated = [before.sha256]
    for metric, threshold in (("mcc", 0.6), ("f1", 0.5)):
        bundle = selection_bundle(judged, ROWS, evaluated=evaluated)
        write_back(judged, bundle, abstain_below=threshold, metric=metric)
    after = load_bundle(judged).manifest.provenance
    assert after.parent == before.sha256
    command = before.manifest.provenance.command
    assert after.command == f"{command}; eegscribe sweep --best f1"
    with pytest.raises(BundleError, match="is not of the bundle that decoded the rows, wanted 0"):
        selection_bundle(judged, ROWS, evaluated=["0" * 64])


def test_what_a_link_points_to_is_written_and_the_link_stays(judged: Path) -> None:
    link = judged.with_name("link.eegb")
    link.symlink_to(judged)
    write_back(link, selection_bundle(link, ROWS), abstain_below=0.6, metric="mcc")
    assert link.is_symlink()
    assert load_bundle(judged).manifest.evaluation.verdict == "not evaluated"


def test_the_same_threshold_leaves_the_bundle_and_its_verdict_alone(judged: Path) -> None:
    data = judged.read_bytes()
    written = write_back(judged, selection_bundle(judged, ROWS), abstain_below=0.0, metric="mcc")
    assert judged.read_bytes() == data
    assert written.sha256 == written.was_sha256


def test_a_bundle_that_did_not_decode_the_rows_is_refused(tmp_path: Path, judged: Path) -> None:
    make_bundle(tmp_path / "ctc")
    with pytest.raises(BundleError, match="writes sentences, wanted one that selects symbols"):
        selection_bundle(tmp_path / "ctc", ROWS)
    foreign = [selection(0, "Z", {"A": 0.6, "Z": 0.4})]
    with pytest.raises(BundleError, match="has no symbol 'Z', wanted the bundle that decoded"):
        selection_bundle(judged, foreign)
    with pytest.raises(BundleError, match="the rows hold confidences alone, wanted posteriors"):
        selection_bundle(judged, [row(leading="A", confidence=0.4)])


def test_what_the_rows_cannot_foresee_is_said(judged: Path) -> None:
    bundle = load_bundle(judged)
    decoder = SelectionDecoder(max_stimuli=1, threshold=0.9, lm_weight=0.5)
    pipeline = msgspec.structs.replace(bundle.manifest.pipeline, decoder=decoder)
    manifest = msgspec.structs.replace(bundle.manifest, pipeline=pipeline)
    write_bundle(judged, manifest, bundle.files)
    written = write_back(judged, selection_bundle(judged, ROWS), abstain_below=0.95, metric="f1")
    early, heard = written.warnings
    assert early.startswith("decoder.threshold is 0.9: a trial ends as soon as")
    assert heard.startswith("the language model hears what was written")
    below = write_back(judged, selection_bundle(judged, ROWS), abstain_below=0.5, metric="f1")
    assert below.warnings == (heard,)
