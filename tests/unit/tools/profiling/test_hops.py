from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import BundleError, RecordingError
from runtime.engine import Engine, open_engine
from tests.bundles import ctc_spec, make_bundle, pulses
from tests.recordings import noise, trial_markers, write_recording
from tools.profiling.hops import replay_hops
from tools.profiling.report import pipeline_profile
from tools.profiling.stages import OF_A_HOP


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hops")


def engine(folder: Path, head: str) -> Engine:
    if not (folder / head).exists():
        make_bundle(folder / head, head=head)
    return open_engine(folder / head)


def test_stages_add_up_to_the_total_hop_by_hop_and_over_the_replay(folder: Path) -> None:
    recording = write_recording(folder / "r.xdf", noise(5000))
    hops = replay_hops(engine(folder, "ctc"), recording)
    assert (hops.chunk_samples, hops.n_samples) == (20, 5000)
    assert hops.ns.shape == (250, len(OF_A_HOP))
    assert hops.n_decodes == 250
    assert (hops.ns >= 0).all()
    assert sum(hops.spent_ns.values()) == pytest.approx(hops.total_ns, rel=0.02)
    of_hops = sum(hops.spent_ns[stage] for stage in OF_A_HOP)
    assert hops.ns.sum() == pytest.approx(of_hops, rel=0.1)  # but for the end of the stream
    found = pipeline_profile(hops)
    assert sum(row.mean for row in found.stages.values()) == pytest.approx(found.total.mean)
    assert sum(row.share for row in found.stages.values()) == pytest.approx(1.0)
    assert set(found.typical_ms) == set(found.stages)
    samples = [sample for sample, _ in hops.memory]
    assert samples == sorted(samples)
    assert samples[0] == 20
    assert len(samples) > 100


def test_a_hop_is_of_one_decode_and_the_wait_for_stimuli_is_none(folder: Path) -> None:
    recording = write_recording(folder / "trials.xdf", noise(3000), trial_markers(3000))
    hops = replay_hops(engine(folder, "selection"), recording)
    assert hops.n_decodes > 0
    assert 0 < len(hops.ns) < 3000 // hops.chunk_samples
    assert len(hops.ns) <= hops.n_decodes


def test_the_steps_of_a_network_that_writes_are_the_models(folder: Path) -> None:
    recording = write_recording(folder / "said.xdf", pulses("ab ba b ab", n_samples=1500))
    hops = replay_hops(engine(folder, "seq2seq"), recording)
    assert hops.n_steps > 0
    decode, model = OF_A_HOP.index("decode"), OF_A_HOP.index("model")
    assert hops.ns[:, [decode, model]].all()


def test_the_beginning_of_a_recording_is_enough(folder: Path) -> None:
    recording = write_recording(folder / "long.xdf", noise(5000))
    shares: list[float] = []
    hops = replay_hops(engine(folder, "ctc"), recording, seconds=2.0, on_progress=shares.append)
    assert hops.n_samples == 500
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_a_recording_of_another_rate_or_without_a_decode_is_refused(folder: Path) -> None:
    short = write_recording(folder / "short.xdf", noise(500))
    make_bundle(folder / "slow", head="selection")
    with pytest.raises(RecordingError, match="gives no decode in 2 s"):
        replay_hops(engine(folder, "slow"), short)
    make_bundle(folder / "other", spec=ctc_spec(rate_hz=500.0))
    with pytest.raises(BundleError, match="rate is 250 Hz, the bundle 'tiny-ctc' wants 500 Hz"):
        replay_hops(engine(folder, "other"), short)
