"""Whether a configured stream will be decoded: bundle, EEG and markers, found and fitting."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import pylsl

from pipeline.errors import EegscribeError, StreamLost
from pipeline.spec import EventWindow
from runtime.config_values import predicate
from runtime.engine import Engine, check_fit, open_engine
from runtime.lsl.inlet import resolve
from runtime.lsl.source import LslSource
from runtime.quality import channel_quality
from runtime.store import bundle_path
from tools.first_day.host_checks import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from models.providers import ProviderChoice
    from runtime.config import Stream
    from runtime.source import StreamInfo

LISTEN_S = 2.0
OTHERS_S = 0.5
RATE_WITHIN = 0.1
"""How far the rate of arrival may be from nominal, as a share of it."""


def stream_findings(
    settings: Stream, *, providers: ProviderChoice, n_threads: int, timeout_s: float
) -> Iterator[Finding]:
    """Yield everything found of one stream."""
    area = f"stream {settings.name}"
    engine: Engine | None = None
    try:
        engine = open_engine(
            bundle_path(settings.bundle),
            pinned_sha256=settings.bundle_sha256,
            providers=providers,
            n_threads=n_threads,
        )
    except EegscribeError as error:
        yield Finding("problem", area, str(error), error.exit_code)
    else:
        manifest = engine.bundle.manifest
        verdict = "verified" if engine.model_name.verified else "not verified to read EEG"
        yield Finding(
            "ok", area, f"bundle {manifest.name!r} loads, its golden vectors agree; {verdict}"
        )
    yield from _eeg_findings(area, settings, engine, timeout_s)
    yield from _marker_findings(area, settings, engine, timeout_s)


def _eeg_findings(
    area: str, settings: Stream, engine: Engine | None, timeout_s: float
) -> Iterator[Finding]:
    """Yield whether the EEG stream is there, fits the bundle, and sends what it promises."""
    source = LslSource(
        settings.lsl,
        channels=None if engine is None else engine.spec.channels,
        renamed=settings.channels,
    )
    try:
        info = source.open(timeout_s)
        if engine is not None:
            check_fit(engine, info)
        yield Finding(
            "ok", area, f"found {info.name!r}: {len(info.channels)} channels at {info.rate_hz:g} Hz"
        )
        yield from _others_findings(area, settings)
        yield from _samples_findings(area, source, info)
    except EegscribeError as error:
        yield Finding("problem", area, str(error), error.exit_code)
    finally:
        source.close()


def _others_findings(area: str, settings: Stream) -> Iterator[Finding]:
    """Yield whether other streams match too: another person's, say."""
    wanted = predicate(settings.lsl)
    found = pylsl.resolve_bypred(wanted, 2, OTHERS_S)
    if len(found) > 1:
        names = ", ".join(sorted(f"{one.name()!r} ({one.hostname()})" for one in found))
        yield Finding(
            "warning",
            area,
            f"{len(found)} streams match {wanted}: {names}; any of them may be taken, wanted a"
            " predicate that only one matches, by source_id, say",
        )


def _samples_findings(area: str, source: LslSource, info: StreamInfo) -> Iterator[Finding]:
    """Yield how the samples of two seconds look.

    Raises:
        StreamLost: none arrived.
    """
    rows: list[np.ndarray[tuple[int, int], np.dtype[np.float32]]] = []
    first_s = last_s = 0.0
    stop_s = time.monotonic() + LISTEN_S
    while time.monotonic() < stop_s:
        batch = source.pull(0.1)
        if batch is not None and len(batch.samples):
            last_s = time.monotonic()
            first_s = first_s or last_s
            rows.append(batch.samples.copy())
    if not rows:
        raise StreamLost(
            f"{info.name}: connected, but no sample came within {LISTEN_S:g} s; is the headset on?"
        )
    samples = np.concatenate(rows)
    if len(rows) > 1:
        rate_hz = (len(samples) - len(rows[0])) / (last_s - first_s)
        far = abs(rate_hz / info.rate_hz - 1) > RATE_WITHIN
        yield Finding(
            "warning" if far else "ok",
            area,
            f"{rate_hz:.1f} samples arrive a second, {info.rate_hz:g} are promised",
        )
    looks = channel_quality(samples, channels=info.channels, rate_hz=info.rate_hz)
    bad = [f"{look.channel} {look.state}" for look in looks if look.state != "good"]
    if bad:
        yield Finding("warning", area, f"channels: {', '.join(bad)}")
    else:
        yield Finding("ok", area, "all channels look like EEG")


def _marker_findings(
    area: str, settings: Stream, engine: Engine | None, timeout_s: float
) -> Iterator[Finding]:
    """Yield whether markers come where they are waited for."""
    needs = engine is not None and isinstance(engine.spec.window, EventWindow)
    if settings.markers is None:
        if needs:
            yield Finding(
                "problem",
                area,
                "stream.markers: got none, wanted the stream of stimulus markers that this bundle "
                "decodes by",
                78,
            )
        return
    wanted = predicate(settings.markers)
    found = resolve(wanted, timeout_s)
    if found is None:
        yield Finding(
            "problem", area, f"no LSL marker stream with {wanted} within {timeout_s:g} s", 69
        )
    else:
        yield Finding("ok", area, f"markers come from {found.name()!r}")
