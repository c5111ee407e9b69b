from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.config import DaemonConfig, config_problems, read_config
from tools.first_day.starting_config import (
    FoundStream,
    eeg_of,
    markers_of,
    starting_config,
    toml_text,
)

if TYPE_CHECKING:
    from pathlib import Path


def stream(name: str = "DSI", **changes: Any) -> FoundStream:
    fields = {
        "kind": "EEG",
        "source_id": "dsi-24",
        "hostname": "lab1",
        "n_channels": 19,
        "rate_hz": 300.0,
        "is_text": False,
    }
    return FoundStream(name=name, **fields | changes)


def markers(name: str = "stimuli", **changes: Any) -> FoundStream:
    fields = {"kind": "Markers", "n_channels": 1, "rate_hz": 0.0, "is_text": True, "source_id": "s"}
    return stream(name, **fields | changes)


def read(folder: Path, text: str) -> DaemonConfig:
    path = folder / "eegscribe.toml"
    path.write_text(text)
    assert config_problems(path) == []
    return read_config(path)


def test_one_stream_and_its_markers(tmp_path: Path) -> None:
    config = read(tmp_path, starting_config([markers(), stream()], bundle="speller.eegb"))
    (found,) = config.streams
    assert found.name == "DSI"
    assert found.lsl == {"type": "EEG", "name": "DSI", "source_id": "dsi-24"}
    assert found.markers == {"type": "Markers", "name": "stimuli", "source_id": "s"}
    assert found.bundle == str(tmp_path / "speller.eegb")


def test_several_streams_get_names_of_their_own(tmp_path: Path) -> None:
    found = [stream("g.tec/1"), stream("g.tec 1"), stream("…")]
    config = read(tmp_path, starting_config(found, bundle="b"))
    assert {each.name for each in config.streams} == {"g.tec-1", "g.tec-1-2", "eeg"}


def test_every_line_behind_a_hash_is_a_default(tmp_path: Path) -> None:
    text = starting_config([stream(), markers()], bundle="b")
    opened = [
        line[2:] if line.startswith("# ") and " = " in line else line for line in text.split("\n")
    ]
    skipped = ("bundle_sha256", "resolve_timeout_s", "channels", "directory")
    whole = read(tmp_path, "\n".join(line for line in opened if not line.startswith(skipped)))
    plain = read(tmp_path, text)
    assert whole == plain
    assert set(tomllib.loads(text)) == {
        field.encode_name for field in msgspec.structs.fields(DaemonConfig)
    }


def test_what_says_eeg_comes_before_what_may_be() -> None:
    other = stream("amp", kind="Signal")
    slow = stream("temperature", kind="", rate_hz=1.0)
    assert eeg_of([markers(), other, slow]) == [other]
    assert eeg_of([markers(), other, slow, stream()]) == [stream()]


def test_markers_are_chosen_by_name_then_by_host() -> None:
    far = markers("a", hostname="lab2")
    assert markers_of(stream(), [far]) == far
    assert markers_of(stream(), [far, markers("z")]) == markers("z")
    assert markers_of(stream(), [far, markers("z"), markers("DSI-markers", hostname="x")]) == (
        markers("DSI-markers", hostname="x")
    )
    assert markers_of(stream(), [stream()]) is None


@given(st.text())
def test_any_text_is_written_as_toml(text: str) -> None:
    assert tomllib.loads(f"a = {toml_text(text)}")["a"] == text


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=300), st.text(max_size=40), st.text(max_size=40))
def test_whatever_a_stream_is_called_the_configuration_is_right(
    tmp_path: Path, name: str, kind: str, hostname: str
) -> None:
    found = [stream(name, hostname=hostname), markers(name, kind=kind, hostname=hostname)]
    read(tmp_path, starting_config(found, bundle="b"))


@pytest.mark.parametrize("name", ['it\'s "it"', "a\nb", "\x7f"])
def test_a_name_no_predicate_can_hold_is_left_out(tmp_path: Path, name: str) -> None:
    config = read(tmp_path, starting_config([stream(name)], bundle="b"))
    assert config.streams[0].lsl == {"type": "EEG", "source_id": "dsi-24"}
