from __future__ import annotations

import json
import os
import tomllib
from decimal import Context
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from tests.bundles import make_bundle
from tools.cli import main
from tools.verbs.schema import CONTRACTS, contract_schema

DATA = Path(os.environ.get("EEGSCRIBE_DATA", Path(__file__).parents[4] / "shared" / "data"))

CONFIG = """
[stream]
name = "bench1"
bundle = "demo"
lsl = { type = "EEG", channel_count = 8 }
[publish]
endpoint = ["tcp://127.0.0.1:5557", "ipc:///run/x"]
[budget]
total_ms = 100
[journal]
path = "j"
"""


def valid(contract: str, value: Any) -> bool:
    return bool(jsonschema.Draft202012Validator(contract_schema(contract)).is_valid(value))


@pytest.mark.parametrize("contract", [None, *CONTRACTS])
def test_each_contract_is_printed_as_a_schema(
    contract: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["schema", *([contract] if contract else [])]) == 0
    told = json.loads(capsys.readouterr().out)
    jsonschema.Draft202012Validator.check_schema(told)
    assert told["$schema"].endswith("2020-12/schema")
    assert contract is not None or set(told["$defs"]) >= {"text.partial", "text.final"}


def test_an_unknown_contract_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["schema", "poem"])
    assert caught.value.code == 2
    assert "poem" in capsys.readouterr().err


def test_a_type_nobody_has_said_how_to_write_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    odd = msgspec.defstruct("Layout", [("arithmetic", Context)])
    monkeypatch.setattr("tools.recordings.layout.Layout", odd)
    with pytest.raises(TypeError, match="Context: WRITTEN_AS lacks it"):
        contract_schema("layout")


def test_the_configuration_may_have_one_stream_or_several() -> None:
    one = tomllib.loads(CONFIG)
    assert valid("config", one)
    assert valid("config", one | {"stream": [one["stream"]]})
    assert not valid("config", one | {"stream": []})


@pytest.mark.parametrize(
    "change",
    [
        {"publish": {"endpont": 1}},
        {"budget": {"total_ms": 0}},
        {"journal": {"path": 5}},
        {"stream": {"name": "a b", "bundle": "demo"}},
        {"stream": {"name": "a"}},
        {"extra": {}},
    ],
)
def test_the_schema_refuses_what_the_daemon_refuses(change: dict[str, Any]) -> None:
    assert not valid("config", tomllib.loads(CONFIG) | change)


@pytest.mark.parametrize("head", ["ctc", "selection", "seq2seq"])
def test_a_bundles_manifest_is_a_manifest(tmp_path: Path, head: str) -> None:
    make_bundle(tmp_path / "b", head=head)
    manifest = json.loads((tmp_path / "b/manifest.json").read_text())
    assert valid("manifest", manifest)
    assert not valid("manifest", manifest | {"step": {"path": "step.onnx"}})


@pytest.mark.parametrize("name", ["ssvep32_layout.json", "p300_layout.json"])
def test_the_given_layouts_are_layouts(name: str) -> None:
    path = DATA / "recordings" / name
    if not path.exists():
        pytest.skip(f"{name} is not given (set EEGSCRIBE_DATA)")
    layout = json.loads(path.read_text())
    assert valid("layout", layout)
    assert not valid("layout", layout | {"kind": "telepathy"})
    assert not valid("layout", {key: layout[key] for key in layout if key != "kind"})
