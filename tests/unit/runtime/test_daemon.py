"""How a daemon ends: by an error of ours, told once, whatever happened inside."""

from __future__ import annotations

import sys
from typing import Literal

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from pipeline.errors import BundleError, EegscribeError, StreamLost
from runtime import daemon
from runtime.config import DaemonConfig, Log, Stream

Form = Literal["console", "json"]
LOST = StreamLost("no LSL stream, wanted one")


def ended(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, form: Form
) -> tuple[EegscribeError, list[EventDict]]:
    """Run a daemon that ends by ``error``; return what it raises and what it logs."""

    async def run(_daemon: daemon.Daemon) -> None:
        raise error

    monkeypatch.setattr(daemon.Daemon, "run", run)
    monkeypatch.setattr(daemon, "hush_lsl", lambda: None)
    monkeypatch.setattr(daemon, "SWITCH_INTERVAL_S", sys.getswitchinterval())
    stream = Stream(name="s", lsl="name='x'", bundle="b")
    config = DaemonConfig(streams=(stream,), log=Log(format=form))
    with capture_logs() as logged, pytest.raises(EegscribeError) as raised:
        daemon.run_daemon(config)
    return raised.value, logged


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_fault_of_a_thread_is_raised_as_it_is(
    monkeypatch: pytest.MonkeyPatch, form: Form
) -> None:
    group = BaseExceptionGroup("threads", [ExceptionGroup("one", [LOST]), BundleError("later")])
    error, logged = ended(monkeypatch, group, form)
    assert error is LOST
    assert [(entry["error"], entry["exit_code"]) for entry in logged] == (
        [(str(LOST), 69)] if form == "json" else []
    )


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_fault_of_the_program_is_logged_whole_and_raised_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, form: Form
) -> None:
    group = BaseExceptionGroup("threads", [LOST, KeyError("inside")])
    error, (entry,) = ended(monkeypatch, group, form)
    assert str(error) == "the daemon crashed (ExceptionGroup): see its log above"
    assert error.exit_code == 1
    assert (entry["event"], entry["exc_info"]) == ("crashed", group)
