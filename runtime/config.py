"""The host's configuration: where things are and how long to wait, never what changes a number.

One TOML file. Every key is listed here with its default, its range and, in words, what it wants;
those words are what the user reads when the value is wrong, and what ``schema config`` prints.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from pipeline.errors import ConfigError
from runtime.config_values import (
    BundleName,
    ChannelMap,
    Days,
    Digest,
    Endpoint,
    Endpoints,
    File,
    Folder,
    Format,
    HighWaterMark,
    HistorySeconds,
    LogFormat,
    LogLevel,
    MarkerName,
    Milliseconds,
    ProfileSeconds,
    Providers,
    Query,
    Seconds,
    StreamName,
    Switch,
    Sync,
    Threads,
    predicate,
)
from runtime.places import cache_folder, runtime_folder, state_folder
from runtime.tables import Hook, Table, read_table
from runtime.wire.endpoints import endpoint_problem

MAX_FILE_BYTES = 1 << 20
PAUSE_MARKER = "pause"
RESUME_MARKER = "resume"
STAGES = ("acquire", "filter", "model", "decode", "publish")


def _any_eeg() -> Query:
    """Return the query that finds any EEG stream."""
    return {"type": "EEG"}


class Stream(Table, frozen=True):
    """One EEG stream and the bundle that reads it.

    ``channels`` maps the bundle's channel names to the stream's labels where they differ.
    ``bundle`` is an absolute path once read, or else a name in the store.
    """

    name: StreamName
    bundle: BundleName
    lsl: Query = msgspec.field(default_factory=_any_eeg)
    markers: Query | None = None
    bundle_sha256: Digest | None = None
    resolve_timeout_s: Seconds | None = None
    silent_s: Seconds = 2.0
    history_s: HistorySeconds = 30.0
    channels: ChannelMap = msgspec.field(default_factory=dict)
    pause_marker: MarkerName = PAUSE_MARKER
    resume_marker: MarkerName = RESUME_MARKER

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield what is wrong between the keys of one stream."""
        for key, query in (("lsl", self.lsl), ("markers", self.markers)):
            try:
                predicate(query if query is not None else {})
            except ValueError as error:
                yield key, str(error)
        labels = Counter(self.channels.values())
        for label in (label for label, n in labels.items() if n > 1):
            yield "channels", f"got {label!r} for several channels, wanted each label once"
        if self.pause_marker == self.resume_marker:
            yield "resume_marker", f"got {self.resume_marker!r}, wanted another than pause_marker"


class Curve(Table, frozen=True):
    """CURVE keys: our secret one, and the public ones of those who may connect.

    ``clients_file`` has one Z85 public key (40 characters) a line; ``#`` starts a comment.
    """

    secret_key_file: File
    clients_file: File


class Publish(Table, frozen=True):
    """The PUB socket of the messages."""

    endpoint: Endpoints = "tcp://127.0.0.1:5557"
    every_decode: Switch = False
    format: Format = "json"
    high_water_mark: HighWaterMark = 1000
    curve: Curve | None = None

    @property
    def endpoints(self) -> tuple[str, ...]:
        """All endpoints, also where one was given."""
        return (self.endpoint,) if isinstance(self.endpoint, str) else self.endpoint

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield endpoints that may not be bound."""
        for endpoint in self.endpoints:
            problem = endpoint_problem(
                endpoint, has_curve=self.curve is not None, curve_key="publish.curve"
            )
            if problem is not None:
                yield "endpoint", problem


class Control(Table, frozen=True):
    """The ROUTER socket of requests."""

    endpoint: Endpoint = msgspec.field(default_factory=lambda: f"ipc://{runtime_folder()}/control")
    curve: Curve | None = None

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield an endpoint that may not be bound."""
        problem = endpoint_problem(
            self.endpoint, has_curve=self.curve is not None, curve_key="control.curve"
        )
        if problem is not None:
            yield "endpoint", problem


class Budget(Table, frozen=True):
    """Where the time of one decode may go; stages not given keep their share of the total."""

    total_ms: Milliseconds = 100.0
    acquire_ms: Milliseconds | None = None
    filter_ms: Milliseconds | None = None
    model_ms: Milliseconds | None = None
    decode_ms: Milliseconds | None = None
    publish_ms: Milliseconds | None = None

    def stage_ms(self, stage: str) -> float:
        """Return a stage's budget: as given, or its 2, 10, 50, 20 or 5 % of the total."""
        given: float | None = getattr(self, f"{stage}_ms")
        shares = dict(zip(STAGES, (0.02, 0.10, 0.50, 0.20, 0.05), strict=True))
        return self.total_ms * shares[stage] if given is None else given

    def by_stage(self) -> dict[str, float]:
        """Return milliseconds by stage of the messages' ``latency_ms``; ``queue`` has none."""
        stages = {stage: self.stage_ms(stage) for stage in STAGES if stage != "acquire"}
        return {"transport": self.stage_ms("acquire"), **stages, "total": self.total_ms}

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield stages that do not fit into the total."""
        given = [getattr(self, f"{stage}_ms") for stage in STAGES]
        together = sum(ms for ms in given if ms is not None)
        if together > self.total_ms:
            yield (
                "total_ms",
                f"got {self.total_ms:g} ms, wanted at least the {together:g} ms of its stages",
            )


class Journal(Table, frozen=True):
    """The journal of finals. ``sync = "full"`` also survives a power cut."""

    path: File = msgspec.field(default_factory=lambda: state_folder() / "journal.sqlite")
    sync: Sync = "full"
    keep_days: Days = 30.0


class Record(Table, frozen=True):
    """Raw recording of what arrived; off without a directory."""

    directory: Folder | None = None


class Log(Table, frozen=True):
    """Logs on stderr. ``text = true`` lets decoded text, which is health data, into them."""

    level: LogLevel = "info"
    text: Switch = False
    format: LogFormat = "console"


class Model(Table, frozen=True):
    """How models run on this host."""

    providers: Providers = "auto"
    threads: Threads = 1
    cache: Folder = msgspec.field(default_factory=cache_folder)


class Watchdog(Table, frozen=True):
    """How long loop, reader and decode thread may each stand still before systemd acts."""

    period_s: Seconds = 10.0


class Profile(Table, frozen=True):
    """Where the time of the decode threads goes, on request, on SIGUSR1, or at once.

    ``at_start`` looks at each stream from its first decode on. A profile ends after ``seconds``.
    """

    at_start: Switch = False
    seconds: ProfileSeconds = 60.0
    directory: Folder = msgspec.field(default_factory=lambda: state_folder() / "profiles")


class DaemonConfig(Table, frozen=True):
    """The whole file. ``[stream]`` may be one table or several ``[[stream]]``."""

    streams: tuple[Stream, ...] = msgspec.field(name="stream")
    publish: Publish = Publish()
    control: Control = msgspec.field(default_factory=Control)
    budget: Budget = Budget()
    journal: Journal = msgspec.field(default_factory=Journal)
    record: Record = Record()
    log: Log = Log()
    model: Model = msgspec.field(default_factory=Model)
    watchdog: Watchdog = Watchdog()
    profile: Profile = msgspec.field(default_factory=Profile)

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield what is wrong between tables."""
        for name, n in Counter(stream.name for stream in self.streams).items():
            if n > 1:
                yield "stream.name", f"got {name!r} {n} times, wanted each stream's name once"
        fixed = [e for e in (*self.publish.endpoints, self.control.endpoint) if e[-2:] != ":*"]
        for endpoint, n in Counter(fixed).items():
            if n > 1:
                where = "control" if endpoint == self.control.endpoint else "publish"
                yield f"{where}.endpoint", f"got {endpoint!r} twice, wanted each endpoint once"


def read_config(path: Path) -> DaemonConfig:
    """Return the configuration in the TOML file ``path``.

    Relative paths in it start at the file's folder.

    Raises:
        ConfigError: the first problem, with its path in the file.
    """
    config, problems = _read(path)
    if config is None:
        raise problems[0]
    return config


def config_problems(path: Path) -> list[ConfigError]:
    """Return every problem of the file; empty if :func:`read_config` takes it."""
    return _read(path)[1]


def sound_streams(path: Path) -> list[Stream]:
    """Return the streams that can be looked for, whatever is wrong in the file.

    Keys of theirs that are wrong are left out.
    """
    try:
        rows = _document(path).get("stream", [])
    except ConfigError:
        return []
    folder = path.absolute().parent
    read = [
        _without_wrong_keys(row, folder)
        for row in (rows if isinstance(rows, list) else [rows])
        if isinstance(row, dict)
    ]
    return [
        msgspec.structs.replace(stream, bundle=_bundle(stream.bundle, folder))
        for stream in read
        if stream is not None
    ]


def _without_wrong_keys(row: dict[str, Any], folder: Path) -> Stream | None:
    """Return a stream from those of its keys that are right; None if it needs one that is not."""
    row = dict(row)
    while True:
        stream, problems = read_table(row, Stream, where="stream", hook=_hook(folder))
        wrong = {re.split(r"[.:\[]", text.removeprefix("stream."))[0] for text in problems}
        if stream is not None or not wrong & row.keys():
            return stream
        row = {key: value for key, value in row.items() if key not in wrong}


def _read(path: Path) -> tuple[DaemonConfig | None, list[ConfigError]]:
    """Return the configuration, or None and all its problems."""
    try:
        document = _document(path)
    except ConfigError as error:
        return None, [error]
    folder = path.absolute().parent
    config, problems = read_table(document, DaemonConfig, where="", hook=_hook(folder))
    if config is None:
        return None, [ConfigError(problem) for problem in problems]
    return _from_folder(config, folder), []


def _hook(folder: Path) -> Hook:
    """Return what makes paths of text, relative ones from ``folder`` on."""

    def hook(kind: type, value: Any) -> Path:
        if kind is Path and isinstance(value, str) and value and "\0" not in value:
            return folder / _home(value)
        raise ValueError

    return hook


def _document(path: Path) -> dict[str, Any]:
    """Return the parsed file."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            f"{path}: wanted a readable configuration file: {error.strerror}"
        ) from None
    if len(raw) > MAX_FILE_BYTES:
        raise ConfigError(f"{path}: got more than {MAX_FILE_BYTES} bytes, wanted a configuration")
    try:
        return tomllib.loads(raw.decode())
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: got no UTF-8 at byte {error.start}, wanted TOML") from None
    except RecursionError:
        raise ConfigError(f"{path}: got brackets nested too deeply, wanted TOML") from None
    except ValueError as error:
        raise ConfigError(f"{path}: wanted TOML: {error}") from None


def _from_folder(config: DaemonConfig, folder: Path) -> DaemonConfig:
    """Return ``config`` with its bundles, and its relative ipc endpoints, found from ``folder``."""
    streams = tuple(
        msgspec.structs.replace(stream, bundle=_bundle(stream.bundle, folder))
        for stream in config.streams
    )
    endpoints = tuple(_endpoint(endpoint, folder) for endpoint in config.publish.endpoints)
    publish = msgspec.structs.replace(
        config.publish, endpoint=endpoints[0] if len(endpoints) == 1 else endpoints
    )
    control = msgspec.structs.replace(
        config.control, endpoint=_endpoint(config.control.endpoint, folder)
    )
    return msgspec.structs.replace(config, streams=streams, publish=publish, control=control)


def _bundle(name: str, folder: Path) -> str:
    """Return the bundle's absolute path, or ``name`` where it can only be one of the store."""
    path = folder / _home(name)
    is_path = "/" in name or name.endswith(".eegb") or path.exists()
    return str(path) if is_path else name


def _endpoint(endpoint: str, folder: Path) -> str:
    """Return an ipc endpoint with an absolute path; others unchanged."""
    path = endpoint.removeprefix("ipc://")
    if path == endpoint or path.startswith("@"):
        return endpoint
    return f"ipc://{folder / path}"


def _home(path: str) -> Path:
    """Return ``path`` with ``~`` replaced, where the user has a home."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)
