"""XDF recordings, by pyxdf, without its dejittering and clock sync: both hide what was lost.

Our own daemon's recordings carry a stream ``eegscribe-inputs`` with the markers and events as the
chain took them; these are given back to the letter.
"""

from __future__ import annotations

import gzip
import io
import json
import logging
import warnings
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import RecordingError
from pipeline.values import Event, Figure, Marker
from runtime.recordings.damage import DAMAGE
from runtime.recordings.raw import RawRecording, RecordedRun, without_dropped
from runtime.recordings.recorder import INPUTS_STREAM, INPUTS_TYPE
from runtime.recordings.xdf_check import check_xdf
from runtime.source import SIMULATED

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

MAX_INPUT_CHARACTERS = 1 << 16
MAX_UNPACKED_BYTES = 1 << 33


def read_xdf(path: Path, *, stream: str | None = None, markers: str | None = None) -> RawRecording:
    """Read the EEG stream of an XDF file, and its markers.

    Args:
        path: the file.
        stream: name of the EEG stream; by default the first of type EEG.
        markers: name of the marker stream; by default all of a type that says marker.

    Raises:
        RecordingError: unreadable, not whole, or without a usable EEG stream.
    """
    streams = _load(path)
    try:
        eeg = _choose(streams, stream, path)
        return _raw(eeg, streams, markers)
    except DAMAGE as error:
        raise RecordingError(
            f"{path}: damaged inside ({type(error).__name__}: {error}), wanted a whole recording"
        ) from None


def _load(path: Path) -> list[dict[str, Any]]:
    import pyxdf  # offline only

    try:
        data = path.read_bytes()
        if path.name.lower().endswith(("z", ".gz")):
            with gzip.open(io.BytesIO(data)) as packed:
                data = packed.read(MAX_UNPACKED_BYTES)
    except (OSError, EOFError, MemoryError, zlib.error) as error:
        said = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise RecordingError(f"{path}: cannot be read: {said}") from None
    check_xdf(data, str(path))
    logger = logging.getLogger("pyxdf.pyxdf")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)  # what it would warn of is for us to tell
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            streams, _ = pyxdf.load_xdf(
                io.BytesIO(data), synchronize_clocks=False, dejitter_timestamps=False
            )
    except DAMAGE as error:
        said = str(error) or type(error).__name__
        raise RecordingError(f"{path}: not a readable XDF file ({said})") from None
    finally:
        logger.setLevel(level)
    return list(streams)


def _choose(streams: list[dict[str, Any]], name: str | None, path: Path) -> dict[str, Any]:
    numeric = [s for s in streams if _text(s, "channel_format") != "string" and _rate_hz(s) > 0]
    if name is not None:
        chosen = [s for s in numeric if _text(s, "name") == name]
    else:
        chosen = [s for s in numeric if _text(s, "type").lower() == "eeg"]
        if not chosen and len(numeric) == 1:
            chosen = numeric
    if not chosen:
        have = (
            ", ".join(f"{_text(s, 'name')!r} ({_text(s, 'type')})" for s in streams) or "no streams"
        )
        wanted = "of type EEG" if name is None else f"named {name!r}"
        raise RecordingError(f"{path}: no EEG stream {wanted} with a regular rate; it has {have}")
    with_samples = [s for s in chosen if len(s["time_stamps"])]
    if not with_samples:
        raise RecordingError(f"{path}: the EEG stream {_text(chosen[0], 'name')!r} has no samples")
    return with_samples[0]


def _raw(eeg: dict[str, Any], streams: list[dict[str, Any]], markers: str | None) -> RawRecording:
    values = np.asarray(eeg["time_series"])
    stamps = np.asarray(eeg["time_stamps"], dtype=np.float64)
    n_channels = values.shape[1] if values.ndim == 2 else 0
    return RawRecording(
        name=_text(eeg, "name"),
        source_id=_text(eeg, "source_id"),
        rate_hz=_rate_hz(eeg),
        labels=_described(eeg, "label", n_channels),
        units=_described(eeg, "unit", n_channels),
        values=values,
        stamps=stamps,
        markers=_markers(eeg, streams, markers),
        inputs=_inputs(streams),
        run=_run(streams),
        subject=_about(eeg, "subject", "id"),
        is_simulated=_about(eeg, *SIMULATED) == "true",
    )


def _text(stream: dict[str, Any], key: str) -> str:
    found = stream["info"].get(key)
    return str(found[0]) if found and found[0] is not None else ""


def _about(stream: dict[str, Any], what: str, key: str) -> str:
    """Return what the description says, as XDF's meta-data conventions have it; else nothing."""
    desc = (stream["info"].get("desc") or [None])[0] or {}
    described = (desc.get(what) or [None])[0] or {}
    return str((described.get(key) or [""])[0] or "").strip()


def _rate_hz(stream: dict[str, Any]) -> float:
    try:
        rate_hz = float(_text(stream, "nominal_srate"))
    except ValueError:
        return 0.0
    return rate_hz if np.isfinite(rate_hz) else 0.0


def _described(stream: dict[str, Any], what: str, n_channels: int) -> tuple[str, ...]:
    """Return one text a channel from the description; counted names where labels are missing."""
    desc = (stream["info"].get("desc") or [None])[0] or {}
    channels = ((desc.get("channels") or [None])[0] or {}).get("channel") or []
    texts = [str((channel.get(what) or [""])[0] or "") for channel in channels[:n_channels]]
    texts += [""] * (n_channels - len(texts))
    if what == "label":
        return tuple(text or f"ch{k + 1}" for k, text in enumerate(texts))
    return tuple(texts)


def _clock(stream: dict[str, Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return times on a stream's own clock and what to add there for the recorder's clock.

    A median of five takes out single bad measurements; a clock that was reset keeps its step.
    """
    at = np.asarray(stream.get("clock_times") or [], dtype=np.float64)
    values = np.asarray(stream.get("clock_values") or [], dtype=np.float64)
    good = np.isfinite(at) & np.isfinite(values)
    at, values = at[good], values[good]
    if len(values) >= 5:
        middle = np.median(np.lib.stride_tricks.sliding_window_view(values, 5), axis=1)
        values = np.concatenate((values[:2], middle, values[-2:]))
    return at, values


def _to_recorder(stream: dict[str, Any], times: NDArray[np.float64]) -> NDArray[np.float64]:
    at, values = _clock(stream)
    if not len(at):
        return times
    order = np.argsort(at, kind="stable")
    return times + np.interp(times, at[order], values[order])


def _from_recorder(stream: dict[str, Any], times: NDArray[np.float64]) -> NDArray[np.float64]:
    at, values = _clock(stream)
    if not len(at):
        return times
    order = np.argsort(at + values, kind="stable")
    return times - np.interp(times, (at + values)[order], values[order])


def _markers(
    eeg: dict[str, Any], streams: list[dict[str, Any]], name: str | None
) -> list[tuple[str, float]]:
    """Return the texts of the marker streams with stamps on the EEG's own clock, in order."""
    found: list[tuple[float, str, float]] = []
    for stream in streams:
        if name is not None and _text(stream, "name") != name:
            continue
        if name is None and (
            "marker" not in _text(stream, "type").lower()
            or _rate_hz(stream) > 0
            or _text(stream, "name") == f"{_text(eeg, 'name')}-text"  # what a daemon decoded
        ):
            continue
        common = _to_recorder(stream, np.asarray(stream["time_stamps"], dtype=np.float64))
        times = _from_recorder(eeg, common)
        for row, common_s, time_s in zip(stream["time_series"], common, times, strict=True):
            if np.isfinite(time_s):
                found.append((float(common_s), str(row[0]), float(time_s)))
    found.sort(key=lambda entry: entry[0])
    return [(text, time_s) for _, text, time_s in found]


def _inputs(streams: list[dict[str, Any]]) -> list[Marker | Event] | None:
    """Return what our own recorder wrote of markers and events, or None for a foreign file.

    They are in the order in which the chain took them; what was recorded before entries said
    ``after_markers`` has the events that were known at one sample before its markers.
    """
    entries = _entries(streams)
    if entries is None:
        return None
    ordered: list[tuple[tuple[int, int, bool], Marker | Event]] = []
    dropped: list[tuple[int, int]] = []
    for entry in entries:
        if "marker" in entry:
            m = entry["marker"]
            marker = Marker(str(m["text"]), int(m["index"]), int(m["known_at"]))
            after = int(entry.get("after_markers", 0))
            ordered.append(((marker.known_at, after, True), marker))
        elif "dropped" in entry:
            dropped.append((int(entry["dropped"]["first"]), int(entry["dropped"]["n_samples"])))
        elif "run" not in entry:
            e = entry["event"]
            figures = {str(key): _figure(value) for key, value in dict(e["figures"]).items()}
            event = Event(str(e["kind"]), int(e["sample"]), int(e["known_at"]), figures)
            after = int(entry.get("after_markers", 0))
            ordered.append(((event.known_at, after, False), event))
    ordered.sort(key=lambda pair: pair[0])
    return without_dropped([given for _, given in ordered], dropped)


def _run(streams: list[dict[str, Any]]) -> RecordedRun | None:
    """Return how the daemon was configured whose recording this is, if it is one."""
    for entry in _entries(streams) or []:
        if "run" in entry:
            run = entry["run"]
            return RecordedRun(
                stream=str(run["stream"]),
                pause_marker=str(run["pause_marker"]),
                resume_marker=str(run["resume_marker"]),
                channels={str(k): str(v) for k, v in dict(run["channels"]).items()},
                every_decode=bool(run["every_decode"]),
            )
    return None


def _entries(streams: list[dict[str, Any]]) -> list[dict[str, Any]] | None:
    """Return the entries of our own recorder, or None for a foreign file."""
    ours = [
        s for s in streams if _text(s, "type") == INPUTS_TYPE and _text(s, "name") == INPUTS_STREAM
    ]
    if not ours:
        return None
    texts = [str(row[0]) for row in ours[0]["time_series"]]
    longest = max(map(len, texts), default=0)
    if longest > MAX_INPUT_CHARACTERS:
        raise ValueError(f"an entry of {longest} characters in {INPUTS_STREAM}")
    return [dict(json.loads(text)) for text in texts]


def _figure(value: object) -> Figure:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ValueError(f"a figure of type {type(value).__name__} in {INPUTS_STREAM}")
