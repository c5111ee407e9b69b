from __future__ import annotations

import io
import sys
from types import ModuleType
from typing import Any

import pytest

from pipeline.errors import BundleError
from tools import cli


def add_verb(monkeypatch: pytest.MonkeyPatch, run: Any) -> None:
    module = ModuleType("tools.verbs.demo")

    def add_parser(verbs: Any) -> None:
        verbs.add_parser("demo").set_defaults(run=run)

    module.add_parser = add_parser  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tools.verbs.demo", module)


def raising(error: BaseException) -> Any:
    def run(_options: Any) -> int:
        raise error

    return run


def test_our_errors_become_their_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    add_verb(monkeypatch, raising(BundleError("b: damaged")))
    assert cli.main(["demo"]) == 65
    assert capsys.readouterr().err == "eegscribe: b: damaged\n"


def test_a_host_without_the_workbench_is_told_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    add_verb(monkeypatch, raising(ModuleNotFoundError("No module named 'pyxdf'", name="pyxdf")))
    assert cli.main(["demo"]) == 1
    said = capsys.readouterr().err
    assert "demo needs the package 'pyxdf'" in said
    assert "pip install '.[tools]'" in said


def test_a_fault_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    add_verb(monkeypatch, raising(ModuleNotFoundError("No module named 'nothing'", name="nothing")))
    with pytest.raises(ModuleNotFoundError):
        cli.main(["demo"])


def test_an_interrupt_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    add_verb(monkeypatch, raising(KeyboardInterrupt()))
    assert cli.main(["demo"]) == 130
    assert capsys.readouterr().err == "eegscribe: demo: interrupted\n"


def test_without_a_verb_there_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 2
    assert "VERB" in capsys.readouterr().out


def test_version_names_what_is_inside(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    said = capsys.readouterr().out
    for part in ("eegscribe", "Python", "liblsl", "ONNX Runtime", "CPU", "CUDA", "TensorRT"):
        assert part in said


@pytest.mark.parametrize("verb", ["profile", "bench", "models"])
def test_a_terminal_of_ascii_alone_still_gets_help(
    monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    with pytest.raises(SystemExit) as ended:
        cli.main([verb, "--help"])
    sys.stdout.flush()
    assert ended.value.code == 0
    assert b"examples:" in written.getvalue()
