"""A commented configuration to start from, made from the LSL streams that are there."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runtime.config import Budget, Control, Journal, Log, Profile, Publish, Stream, Watchdog
from runtime.config_values import predicate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MIN_RATE_HZ = 50.0
"""Slower streams of numbers are something else than EEG."""

Query = dict[str, str]


@dataclass(frozen=True, slots=True)
class FoundStream:
    """What LSL tells of a stream. ``rate_hz`` is 0 where it is irregular."""

    name: str
    kind: str
    source_id: str
    hostname: str
    n_channels: int
    rate_hz: float
    is_text: bool

    @property
    def is_eeg(self) -> bool:
        """Whether it says that it is EEG."""
        return self.kind.lower() == "eeg" and not self.is_text and self.rate_hz > 0

    @property
    def may_be_eeg(self) -> bool:
        """Whether it could be EEG, whatever it says."""
        return not self.is_text and self.rate_hz >= MIN_RATE_HZ

    @property
    def is_markers(self) -> bool:
        """Whether it is a stream of markers."""
        return self.is_text and self.n_channels == 1

    def query(self) -> Query:
        """Return what finds this stream again, as far as it can be written in a predicate."""
        wanted = {"type": self.kind, "name": self.name, "source_id": self.source_id}
        return {key: value for key, value in wanted.items() if value and _can_be_asked(key, value)}


def eeg_of(streams: Iterable[FoundStream]) -> list[FoundStream]:
    """Return the EEG streams; without any that says so, those that may be."""
    known = sorted(streams, key=lambda stream: (stream.name, stream.source_id))
    return [s for s in known if s.is_eeg] or [s for s in known if s.may_be_eeg]


def markers_of(eeg: FoundStream, streams: Iterable[FoundStream]) -> FoundStream | None:
    """Return the markers that most likely belong to ``eeg``: by name, else by host, else any."""
    markers = sorted((s for s in streams if s.is_markers), key=lambda stream: stream.name)
    by_name = [s for s in markers if eeg.name and s.name.startswith(eeg.name)]
    by_host = [s for s in markers if s.hostname == eeg.hostname]
    return next(iter([*by_name, *by_host, *markers]), None)


def starting_config(streams: Iterable[FoundStream], *, bundle: str) -> str:
    """Return the text of a configuration for every EEG stream among ``streams``."""
    found = list(streams)
    eegs = eeg_of(found)
    names = _names(eegs)
    tables = []
    for name, eeg in zip(names, eegs, strict=True):
        title = "[stream]" if len(eegs) == 1 else "[[stream]]"
        markers = markers_of(eeg, found)
        tables.append("\n".join(_stream_lines(title, name, eeg, markers, bundle)))
    return "\n\n".join([_HEAD, *tables, _rest()]) + "\n"


def toml_text(text: str) -> str:
    """Return ``text`` as a TOML string."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


_HEAD = """# Configuration of eegscribe. Lines that begin with # show the defaults.
# Check it with:  eegscribe check --config FILE"""


def _stream_lines(
    title: str, name: str, eeg: FoundStream, markers: FoundStream | None, bundle: str
) -> Iterator[str]:
    """Yield the lines of one stream's table."""
    defaults = Stream(name=name, bundle=bundle)
    yield title
    yield f"# {eeg.n_channels} channels at {eeg.rate_hz:g} Hz, from {_comment(eeg.hostname)}"
    yield f"name = {toml_text(name)}"
    yield f"lsl = {_inline(eeg.query())}    # any LSL property"
    if markers is None:
        yield '# markers = { type = "Markers" }    # spellers need the stimulus program\'s markers'
    else:
        yield f"markers = {_inline(markers.query())}"
    yield f"bundle = {toml_text(bundle)}    # a folder, an .eegb file, or a name in the store"
    yield '# bundle_sha256 = "…"         # refuse any other bundle'
    yield "# resolve_timeout_s = 60     # give up when the stream is not there; without it, never"
    yield f"# silent_s = {defaults.silent_s:g}"
    yield "# channels = { Cz = \"EEG 3\" }    # the bundle's name = the stream's label"


def _rest() -> str:
    """Return the other tables, with their defaults."""
    return f"""[publish]
# endpoint = {toml_text(Publish().endpoints[0])}
# every_decode = false       # a partial for every decode, not only for changes
# format = "json"            # or "msgpack"

[control]
# endpoint = {toml_text(Control().endpoint)}

[budget]
# total_ms = {Budget().total_ms:g}             # later decodes are counted and told

[journal]
# path = {toml_text(str(Journal().path))}
# sync = "full"              # "normal" is faster, and may lose the last finals in a power cut
# keep_days = {Journal().keep_days:g}

[record]
# directory = "recordings"   # record what arrives, so that a fault can be replayed

[log]
# level = {toml_text(Log().level)}
# text = false               # true lets decoded text, which is health data, into the logs

[model]
# providers = "auto"         # "cpu", "cuda" or "tensorrt"
# threads = 1

[watchdog]
# period_s = {Watchdog().period_s:g}

[profile]
# at_start = false           # true: write where the time goes, from the first decode on
# seconds = {Profile().seconds:g}
# directory = {toml_text(str(Profile().directory))}"""


def _names(eegs: list[FoundStream]) -> list[str]:
    """Return a name for each stream that the configuration takes, each once."""
    names: list[str] = []
    for eeg in eegs:
        letters = re.sub(r"[^A-Za-z0-9._-]+", "-", eeg.name).strip("-._")[:56] or "eeg"
        name, n = letters, 1
        while name in names:
            n += 1
            name = f"{letters}-{n}"
        names.append(name)
    return names


def _inline(query: Query) -> str:
    """Return a query as an inline table."""
    return "{ " + ", ".join(f"{key} = {toml_text(value)}" for key, value in query.items()) + " }"


def _comment(text: str) -> str:
    """Return ``text`` so that it stays inside a comment."""
    return "".join(char if char.isprintable() else "?" for char in text) or "an unknown host"


def _can_be_asked(key: str, value: str) -> bool:
    """Return whether a predicate can hold the value, and the configuration takes it."""
    if len(value) > 256 or not value.isprintable():
        return False
    try:
        predicate({key: value})
    except ValueError:
        return False
    return True
