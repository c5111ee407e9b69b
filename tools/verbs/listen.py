"""``eegscribe listen``: live text, or in plain words why there is none."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.errors import UsageError
from runtime.config import Control, Publish
from runtime.wire.control_client import ClientKeys
from runtime.wire.curve import read_key_lines
from runtime.wire.endpoints import parse_endpoint
from runtime.wire.messages import EventMessage, Final, Health, Message, as_object, topic_of
from runtime.wire.subscriber import Subscriber
from tools.listener.speech import Speech
from tools.listener.view import Heard, draw, plain

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

EXAMPLE = """examples:
  eegscribe listen
  eegscribe listen tcp://127.0.0.1:5557 --control ipc:///run/eegscribe/control
  eegscribe listen --plain | espeak-ng

With --plain stdout gets whole words, a line as soon as some are final, and what no space ends after
a pause of a second. A word that is corrected after it was spoken comes again."""

REFRESH_S = 0.1
NOBODY_S = 3.0


def add_parser(verbs: Any) -> None:
    """Add the verb's arguments."""
    parser = verbs.add_parser(
        "listen",
        help="live text, latency, events and quality by channel",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "endpoint",
        nargs="?",
        default=Publish().endpoints[0],
        help="where the daemon publishes (%(default)s)",
    )
    parser.add_argument(
        "--control",
        metavar="E",
        help="where it answers, to fetch what was missed (the default socket, if it is there)",
    )
    parser.add_argument(
        "--plain", action="store_true", help="only final text, for speech synthesis"
    )
    parser.add_argument("--json", action="store_true", help="each message as a JSON line")
    parser.add_argument("--stream", metavar="NAME", help="only this stream")
    parser.add_argument(
        "--for", type=float, metavar="S", dest="for_s", help="stop after so many seconds"
    )
    parser.add_argument(
        "--server-key", type=Path, metavar="F", help="the daemon's public CURVE key"
    )
    parser.add_argument("--secret-key", type=Path, metavar="F", help="our own secret CURVE key")
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Listen until interrupted, or for the time asked for."""
    if options.plain and options.json:
        raise UsageError("--json: got it with --plain, wanted one of them")
    control = options.control or _default_control()
    for endpoint in (options.endpoint, *([control] if control else [])):
        try:
            parse_endpoint(endpoint)
        except ValueError as error:
            raise UsageError(f"got {endpoint!r}, wanted {error}") from None
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    view = _Plain() if options.plain else _view(options)
    subscriber = Subscriber(
        [options.endpoint], control=control, history=not options.plain, keys=_keys(options)
    )
    with subscriber:
        try:
            for message in _messages(subscriber, options.for_s):
                if message is None or options.stream in (None, message.stream):
                    view.show(message, subscriber)
        except KeyboardInterrupt:
            pass
        finally:
            view.end(subscriber)
    return 0


def _messages(subscriber: Subscriber, for_s: float | None) -> Iterator[Message | None]:
    """Yield messages as they come, and None where none came for a moment."""
    stop_s = None if for_s is None else time.monotonic() + for_s
    while stop_s is None or time.monotonic() < stop_s:
        yield subscriber.receive(timeout_s=REFRESH_S)


def _default_control() -> str | None:
    """Return the control endpoint of a daemon started by this user, if there is one."""
    endpoint = Control().endpoint
    return endpoint if Path(parse_endpoint(endpoint).path).exists() else None


def _keys(options: Namespace) -> ClientKeys | None:
    """Return the CURVE keys the command line names."""
    if options.server_key is None and options.secret_key is None:
        return None
    if options.server_key is None or options.secret_key is None:
        raise UsageError("--server-key and --secret-key: got one, wanted both or none")
    keys = [
        read_key_lines(path, where=where)
        for path, where in (
            (options.server_key, "--server-key"),
            (options.secret_key, "--secret-key"),
        )
    ]
    if [len(lines) for lines in keys] != [1, 1]:
        raise UsageError("--server-key, --secret-key: wanted one key in each file")
    return ClientKeys(server=keys[0][0], secret=keys[1][0])


def _view(options: Namespace) -> _Lines | _Screen | _Json:
    """Return what suits where stdout goes."""
    if options.json:
        return _Json()
    return _Screen(options.endpoint) if sys.stdout.isatty() else _Lines(options.endpoint)


class _Plain:
    """Whole words of finals only, a line each time some are complete."""

    def __init__(self) -> None:
        self._speech: dict[str, Speech] = {}

    def show(self, message: Message | None, _subscriber: Subscriber) -> None:
        """Print what a speech synthesiser should say now."""
        now_s = time.monotonic()
        if isinstance(message, Final):
            speech = self._speech.setdefault(message.stream, Speech())
            self._say(speech.take(message, now_s=now_s))
        for speech in self._speech.values():
            self._say(speech.pause(now_s=now_s))

    def end(self, _subscriber: Subscriber) -> None:
        """Print what is left."""
        for speech in self._speech.values():
            self._say(speech.rest())

    def _say(self, words: str) -> None:
        if words:
            print(plain(words), flush=True)


class _Json:
    """Every message as a JSON line, then a summary."""

    def __init__(self) -> None:
        self._n_messages = 0

    def show(self, message: Message | None, _subscriber: Subscriber) -> None:
        """Print the message."""
        if message is not None:
            self._n_messages += 1
            line = {"topic": topic_of(message)} | as_object(message)
            print(msgspec.json.encode(line).decode(), flush=True)

    def end(self, subscriber: Subscriber) -> None:
        """Print the summary."""
        summary = {
            "type": "summary",
            "messages": self._n_messages,
            "finals_missing": subscriber.ledger.n_missing,
            "duplicates": subscriber.ledger.n_duplicates,
            "refused": subscriber.n_refused,
        }
        print(msgspec.json.encode(summary).decode(), flush=True)


class _Lines:
    """For a pipe or a file: finals, events and changes of state, a line each."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._states: dict[str, str] = {}
        self._began_s = time.monotonic()
        self._is_alone = True

    def show(self, message: Message | None, _subscriber: Subscriber) -> None:
        """Print what is new."""
        line = None if message is None else self._line(message)
        if message is not None:
            self._is_alone = False
        elif self._is_alone and time.monotonic() - self._began_s > NOBODY_S:
            self._is_alone = False
            line = nobody(self._endpoint)
        if line is not None:
            print(line, flush=True)

    def _line(self, message: Message) -> str | None:
        """Return what to say of ``message``; None where it says nothing new."""
        if isinstance(message, Final):
            back = f", {message.delete} back" if message.delete else ""
            times = f"{message.latency_ms.total:.1f} ms{back}"
            return f"{message.stream}: final {plain(message.text)!r} ({times})"
        if isinstance(message, EventMessage):
            figures = " ".join(f"{key}={plain(str(f))}" for key, f in message.figures.items())
            return f"{message.stream}: {plain(message.kind)} at {message.sample} {figures}".strip()
        if not isinstance(message, Health):
            return None
        state = Heard(message.stream, health=message).why_nothing(now_s=0.0) or message.state
        if self._states.get(message.stream) == state:
            return None
        self._states[message.stream] = state
        return f"{message.stream}: {state}"

    def end(self, _subscriber: Subscriber) -> None:
        """Leave stdout as it is."""


class _Screen:
    """For a terminal: a panel a stream, drawn again ten times a second."""

    def __init__(self, endpoint: str) -> None:
        from rich.live import Live

        self._endpoint = endpoint
        self._heard: dict[str, Heard] = {}
        self._began_s = time.monotonic()
        self._drawn_s = 0.0
        self._live = Live(auto_refresh=False)
        self._live.start()

    def show(self, message: Message | None, subscriber: Subscriber) -> None:
        """Take the message in; draw if it is time to."""
        now_s = time.monotonic()
        if message is not None:
            heard = self._heard.setdefault(message.stream, Heard(message.stream))
            heard.take(message, now_s=now_s)
        if now_s - self._drawn_s >= REFRESH_S:
            self._drawn_s = now_s
            self._live.update(self._drawn(subscriber, now_s), refresh=True)

    def _drawn(self, subscriber: Subscriber, now_s: float) -> Any:
        from rich.console import Group

        parts: list[Any] = [draw(heard, now_s=now_s) for heard in self._heard.values()]
        if not parts and now_s - self._began_s > NOBODY_S:
            parts.append(nobody(self._endpoint))
        if subscriber.n_refused:
            parts.append(f"{subscriber.n_refused} messages not understood: of another version?")
        if subscriber.ledger.n_missing:
            parts.append(f"{subscriber.ledger.n_missing} finals were missed (see --control)")
        return Group(*parts)

    def end(self, _subscriber: Subscriber) -> None:
        """Give the terminal back."""
        self._live.stop()


def nobody(endpoint: str) -> str:
    """Return in plain words that nobody publishes."""
    return (
        f"Nothing heard at {endpoint} yet: is the daemon running (eegscribe run), "
        "and is this where it publishes?"
    )
