"""What nobody's head gave says so wherever it goes: over LSL, into recordings, in every figure."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from runtime.lsl.source import LslSource
from runtime.recordings.recorder import Recorder
from runtime.recordings.source import RecordingSource, read_recording
from runtime.simulation.synthesis import synthesise
from tests.recordings import noise, write_recording
from tests.system.daemons import eegscribe, unique
from tests.system.lsl_outlets import hear, lost
from tools.demo.demo_run import DEMO_BUNDLE
from tools.playback.replay_lsl import offer_over_lsl
from tools.recordings.digests import SIMULATED
from tools.training.data.corpus import read_corpus
from tools.training.data.table import DataSettings
from tools.verbs.simulate import write_xdf

if TYPE_CHECKING:
    from pathlib import Path

    from runtime.source import RawStream

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("simulated") / "nobody.xdf"
    write_xdf(path, synthesise("hello.", seed=2), name="nobody", rate_hz=250.0)
    return path


def recorded(path: Path, out: Path) -> None:
    """Offer a recording over LSL, and record what arrives as the daemon does."""
    name = unique("told")
    recorders: list[Recorder] = []

    def make_tap(raw: RawStream) -> Recorder:
        recorders.append(Recorder(out, raw))
        return recorders[0]

    source = LslSource({"name": name}, make_tap=make_tap)
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(offer_over_lsl, path, name=name, speed=4.0)
        info = source.open(20)
        heard = hear(source, lost, within_s=60)
        sending.result()
    source.close()
    recorders[0].close()
    (found,) = [event for event in heard.events if event.kind == "stream_found"]
    assert found.figures.get("simulated", False) == info.is_simulated


def test_a_simulated_recording_is_one_after_lsl_and_a_person_s_is_none(
    simulated: Path, tmp_path: Path
) -> None:
    recorded(simulated, tmp_path / "again.xdf")
    assert read_recording(tmp_path / "again.xdf").is_simulated
    write_recording(tmp_path / "person.xdf", noise(500, 2))
    recorded(tmp_path / "person.xdf", tmp_path / "person-again.xdf")
    assert not read_recording(tmp_path / "person-again.xdf").is_simulated


def test_replay_and_evaluate_say_so(simulated: Path, tmp_path: Path) -> None:
    replayed = eegscribe("replay", simulated, "--bundle", DEMO_BUNDLE)
    assert "(SIMULATED EEG)" in replayed.stdout
    as_json = eegscribe("replay", simulated, "--bundle", DEMO_BUNDLE, "--json")
    assert json.loads(as_json.stdout.splitlines()[-1])["simulated"] is True
    bundle = shutil.copy(DEMO_BUNDLE, tmp_path / "demo.eegb")  # the verdict goes into it
    evaluated = eegscribe("evaluate", bundle, simulated, "--out", tmp_path / "report")
    assert "SIMULATED EEG" in evaluated.stdout


def test_a_bundle_says_it_of_what_it_was_trained_on(simulated: Path) -> None:
    corpus = read_corpus([simulated], DataSettings())
    assert corpus.digests()[SIMULATED] == "nobody.xdf"


def test_the_simulated_mark_is_of_the_recording_and_not_of_its_name(tmp_path: Path) -> None:
    write_recording(tmp_path / "simulated.xdf", noise(500, 2), name="eegscribe-sim")
    assert not RecordingSource(tmp_path / "simulated.xdf").open(None).is_simulated
