"""Logs on stderr: for people, as JSON lines, or for journald; never with decoded text.

Text and EEG are health data. Whatever a call logs under one of the names in ``HIDDEN`` is left out
unless ``log.text = true``. What libraries log by :mod:`logging` goes the same way.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TextIO

import msgspec
import structlog

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor

    from runtime.config import Log

HIDDEN = frozenset(
    {
        *("text", "transcript", "symbol", "symbols", "best", "nbest", "n_best", "tail"),
        *("hypothesis", "prefix", "label", "reference", "marker", "message", "body"),
    }
)
SHOWN_INSTEAD = "<hidden>"

PRIORITIES = {"critical": 2, "error": 3, "warning": 4, "info": 6, "debug": 7}
"""syslog's numbers, which journald takes from the start of a line."""


def set_up(
    settings: Log, *, environment: Mapping[str, str] = os.environ, out: TextIO | None = None
) -> None:
    """Set logging up for this process, on ``out`` (stderr by default)."""
    to = sys.stderr if out is None else out
    for_journald = settings.format == "console" and _is_journald(environment)
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    structlog.configure(
        processors=_processors(settings, for_journald=for_journald, colors=to.isatty()),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(to),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[_Forward()], force=True)
    logging.captureWarnings(capture=True)


def _processors(settings: Log, *, for_journald: bool, colors: bool) -> list[Processor]:
    """Return what an event passes through before it is written."""
    chain: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
    ]
    if not settings.text:
        chain.append(hide_text)
    if settings.format == "json":
        stamp = structlog.processors.TimeStamper(fmt="iso")
        return [*chain, stamp, structlog.processors.format_exc_info, _json_line]
    if for_journald:
        return [*chain, structlog.processors.format_exc_info, journald_lines]
    renderer = structlog.dev.ConsoleRenderer(
        colors=colors, exception_formatter=structlog.dev.plain_traceback
    )
    return [*chain, structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False), renderer]


def journald_lines(_logger: object, _method: str, event: EventDict) -> str:
    """Return ``event`` as lines that start with their priority; journald adds the time."""
    rest = dict(event)
    level, name = rest.pop("level", "info"), rest.pop("event", "")
    trace = rest.pop("exception", "")
    fields = "".join(f" {key}={value!r}" for key, value in rest.items())
    lines = f"{name}{fields}\n{trace}".rstrip().splitlines()
    return "\n".join(f"<{PRIORITIES.get(level, 6)}>{line}" for line in lines)


def _json_line(_logger: object, _method: str, event: EventDict) -> str:
    return msgspec.json.encode(event, enc_hook=repr).decode()


def hide_text(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Replace what a person said or was shown, wherever it stands in ``event``."""
    return {
        key: SHOWN_INSTEAD if key in HIDDEN else _hidden_inside(value)
        for key, value in event.items()
    }


def _hidden_inside(value: Any) -> Any:
    """Return ``value`` without text in what it holds."""
    if isinstance(value, msgspec.Struct):
        value = msgspec.to_builtins(value)
    if isinstance(value, Mapping):
        return {
            key: SHOWN_INSTEAD if key in HIDDEN else _hidden_inside(inner)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [_hidden_inside(inner) for inner in value]
    return value


class _Forward(logging.Handler):
    """Hands records of the standard library's logging to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log ``record`` again, under the name of its logger."""
        log = structlog.get_logger()
        log.log(
            max(record.levelno, logging.DEBUG),
            record.getMessage(),
            logger=record.name,
            **({"exc_info": record.exc_info} if record.exc_info else {}),
        )


def _is_journald(environment: Mapping[str, str]) -> bool:
    """Whether stderr goes to journald, which says so by naming the file."""
    try:
        stat = os.fstat(2)
    except OSError:
        return False
    return environment.get("JOURNAL_STREAM") == f"{stat.st_dev}:{stat.st_ino}"
