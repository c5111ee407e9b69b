from __future__ import annotations

import io
import json
import logging
import warnings
from typing import TYPE_CHECKING

import msgspec
import pytest
import structlog

from runtime.config import Log
from runtime.log import hide_text, journald_lines, set_up

if TYPE_CHECKING:
    from collections.abc import Iterator

SPOKEN = "i want to go home"


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    structlog.reset_defaults()
    logging.captureWarnings(capture=False)
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def lines(**settings: object) -> tuple[structlog.stdlib.BoundLogger, io.StringIO]:
    out = io.StringIO()
    set_up(msgspec.convert(settings, Log), environment={}, out=out)
    return structlog.get_logger(), out


class Said(msgspec.Struct):
    text: str
    seq: int


@pytest.mark.parametrize("form", ["console", "json"])
def test_text_is_never_logged(form: str) -> None:
    log, out = lines(format=form)
    log.info("final", text=SPOKEN, transcript=SPOKEN, symbols=[SPOKEN], seq=5)
    log.info("final", message=Said(SPOKEN, 5), said=Said(SPOKEN, 5), more=[{"nbest": SPOKEN}])
    assert SPOKEN not in out.getvalue()
    assert "<hidden>" in out.getvalue()
    assert "5" in out.getvalue()


def test_text_is_logged_when_asked_for() -> None:
    log, out = lines(text=True)
    log.info("final", text=SPOKEN)
    assert SPOKEN in out.getvalue()


def test_json_is_one_object_a_line() -> None:
    log, out = lines(format="json", level="debug")
    log.debug("gap", n_samples=127)
    log.warning("odd", thing=object())
    first, second = (json.loads(line) for line in out.getvalue().splitlines())
    assert (first["event"], first["level"], first["n_samples"]) == ("gap", "debug", 127)
    assert first["timestamp"].endswith("Z")
    assert second["thing"].startswith("<object")


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_crash_is_told_with_its_trace_and_without_its_values(form: str) -> None:
    log, out = lines(format=form)
    try:
        transcript = SPOKEN
        raise ZeroDivisionError(len(transcript))
    except ZeroDivisionError as error:
        log.critical("crashed", exc_info=error)
    assert "ZeroDivisionError" in out.getvalue()
    assert "test_log.py" in out.getvalue()
    assert SPOKEN not in out.getvalue()


def test_levels_below_are_silent() -> None:
    log, out = lines(level="warning")
    log.info("quiet")
    log.warning("loud")
    assert "quiet" not in out.getvalue()
    assert "loud" in out.getvalue()


def test_what_libraries_log_and_warn_goes_the_same_way() -> None:
    _, out = lines(format="json")
    logging.getLogger("asyncio").error("task %s failed", 3)
    logging.getLogger("zmq").info("quiet")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old", stacklevel=1)
    told = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [entry["level"] for entry in told] == ["error", "warning"]
    assert told[0]["event"] == "task 3 failed"
    assert told[0]["logger"] == "asyncio"
    assert "old" in told[1]["event"]


def test_journald_gets_a_priority_on_each_line() -> None:
    told = journald_lines(
        None, "", {"event": "crashed", "level": "error", "code": 5, "exception": "a\nb"}
    )
    assert told == "<3>crashed code=5\n<3>a\n<3>b"


def test_hiding_keeps_what_is_not_text() -> None:
    event = {"event": "gap", "sample": 4, "figures": {"n_samples": 3, "symbol": "x"}}
    assert hide_text(None, "", event) == {
        "event": "gap",
        "sample": 4,
        "figures": {"n_samples": 3, "symbol": "<hidden>"},
    }
