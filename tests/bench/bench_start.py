"""From a process to its first window, and what it weighs: the daemon with two bundles.

``sought``: the first query for the daemon's stream on LSL's multicast, as any outlet sees it.
``READY=1``: told on a real notify socket. ``found to first window``: the daemon's own events and
messages. Modules are counted in a run of their own, in which Python tells every import on stderr.
"""

from __future__ import annotations

import json
import re
import socket
import struct
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.bench.command import bench_main
from tests.bench.headset import START_S, new_source_id, pushing
from tests.bench.processes import REPO, Process, daemon, free_endpoint, module, write_config
from tests.bench.reference_bundle import write_reference
from tests.bench.tables import table

DEMO_BUNDLE = REPO / "tools" / "demo" / "demo.eegb"
WEIGHED_S = 60.0
LSL_PORT = 16571
LSL_GROUPS = ("224.0.0.1", "224.0.0.183", "239.255.172.215")
TARGETS = {
    "start to stream sought": "< 3 s (aim 1)",
    "stream found to first window": "< 0.5 s + window",
    "resident after 60 s": "< 300 MB (aim 150)",
}
FORBIDDEN = ("torch", "mne", "pyxdf", "scipy.signal")
IMPORT_TIME = re.compile(r"^import time:\s+(\d+) \|\s+\d+ \|\s*(\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Start:
    """One start of the daemon; seconds since the process was started, but for the last two."""

    ready_s: float
    sought_s: float | None
    found_to_first_s: float
    resident_mb: list[float]
    threads: int


def seeker() -> socket.socket:
    """Return a socket that hears LSL's queries, as an outlet's does."""
    hears = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    hears.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    hears.bind(("", LSL_PORT))
    for group in LSL_GROUPS:
        for interface in ("0.0.0.0", "127.0.0.1"):
            member = struct.pack("4s4s", socket.inet_aton(group), socket.inet_aton(interface))
            try:
                hears.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
            except OSError:
                continue  # no such interface here, or joined already
    return hears


def notifier(folder: Path) -> socket.socket:
    """Return a notify socket as systemd's."""
    hears = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    hears.bind(str(folder / "notify"))
    return hears


def heard_s(hears: socket.socket, wanted: bytes, *, within_s: float) -> float | None:
    """Return the monotonic time at which a datagram with ``wanted`` came; None if none did."""
    until_s = time.monotonic() + within_s
    while (left_s := until_s - time.monotonic()) > 0:
        hears.settimeout(left_s)
        try:
            if wanted in hears.recv(65536):
                return time.monotonic()
        except TimeoutError:
            break
    return None


def measure(bundle: Path, folder: Path, *, weighed_s: float, marks_s: tuple[float, ...]) -> Start:
    """Start a daemon, then offer its stream, then weigh it."""
    out, endpoint = folder / "rows.npz", free_endpoint()
    hears_query, hears_ready = seeker(), notifier(folder)
    source_id = new_source_id()
    config = write_config(folder, source_id=source_id, bundle=bundle, endpoint=endpoint)
    with (
        hears_query,
        hears_ready,
        Process(module("subscriber", endpoint=endpoint, out=out), log=folder / "sub.log") as sub,
        Process(
            daemon(config), log=folder / "daemon.log", NOTIFY_SOCKET=str(folder / "notify")
        ) as speaks,
    ):
        ready_s = heard_s(hears_ready, b"READY=1", within_s=START_S)
        if ready_s is None:
            raise RuntimeError(f"no READY=1\n{(folder / 'daemon.log').read_text()[-2000:]}")
        sought_s = heard_s(hears_query, source_id.encode(), within_s=3.0)
        with pushing(
            folder, chunk=10, seconds=weighed_s + START_S, bundle=bundle, source_id=source_id
        ):
            sub.line(timeout_s=START_S)
            began_s, resident_mb = time.monotonic(), []
            for mark_s in marks_s:
                time.sleep(max(0.0, began_s + mark_s - time.monotonic()))
                resident_mb.append(speaks.resident_mb())
            threads = len(list(Path(f"/proc/{speaks.pid}/task").iterdir()))
            speaks.stop()
            sub.stop()
    return Start(
        ready_s=ready_s - speaks.started_s,
        sought_s=None if sought_s is None else sought_s - speaks.started_s,
        found_to_first_s=_found_to_first_s(out),
        resident_mb=resident_mb,
        threads=threads,
    )


def _found_to_first_s(out: Path) -> float:
    """Return the seconds between the stream's event and the first text, by the daemon's clock."""
    with np.load(out) as arrays:
        events = json.loads(arrays["events"].tobytes())
        first_ns = int(arrays["first_host_ns"])
    found_ns = [event["host_ns"] for event in events if event["kind"] == "stream_found"]
    return (first_ns - found_ns[0]) / 1e9 if found_ns else float("nan")


def modules_of(bundle: Path, folder: Path, *, seconds: float) -> dict[str, Any]:
    """Return what a daemon imports from start to stop."""
    out, endpoint = folder / "rows.npz", free_endpoint()
    with pushing(folder, chunk=10, seconds=seconds + START_S, bundle=bundle) as pusher:
        config = write_config(folder, source_id=pusher.source_id, bundle=bundle, endpoint=endpoint)
        log = folder / "daemon.log"
        with (
            Process(module("subscriber", endpoint=endpoint, out=out), log=folder / "s.log") as sub,
            Process(daemon(config), log=log, PYTHONPROFILEIMPORTTIME="1") as speaks,
        ):
            sub.line(timeout_s=START_S)
            time.sleep(seconds)
            maps = Path(f"/proc/{speaks.pid}/maps").read_text()
            speaks.stop()
            sub.stop()
    found = IMPORT_TIME.findall(log.read_text())
    names = {name for _, name in found}
    tops: dict[str, float] = {}
    for us, name in found:
        top = name.partition(".")[0]
        tops[top] = tops.get(top, 0.0) + int(us) / 1e3
    slowest = dict(sorted(tops.items(), key=lambda item: -item[1])[:12])
    packages = sorted(set(re.findall(r"site-packages/([^/\n]+)/", maps)))
    return {
        "n_modules": len(names),
        "forbidden": sorted(
            n for n in names if any(n == f or n.startswith(f"{f}.") for f in FORBIDDEN)
        ),
        "mapped_packages": packages,
        "import_ms": slowest,
    }


def run(*, quick: bool) -> dict[str, Any]:
    """Measure both bundles; print them."""
    marks_s = (5.0, 15.0) if quick else (5.0, 30.0, WEIGHED_S)
    n_starts = 2 if quick else 5
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="eegscribe-bench-") as name:
        folder = Path(name)
        bundles = {"reference, 20 ms": write_reference(folder, hop_ms=20)}
        if DEMO_BUNDLE.exists():
            bundles["demo"] = DEMO_BUNDLE
        for title, bundle in bundles.items():
            starts = []
            for n in range(n_starts):
                place = folder / f"{title[:4]}-{n}"
                place.mkdir()
                marks = marks_s if n == n_starts - 1 else (1.0,)
                starts.append(measure(bundle, place, weighed_s=marks[-1], marks_s=marks))
            place = folder / f"{title[:4]}-modules"
            place.mkdir()
            modules = modules_of(bundle, place, seconds=4.0)
            figures[title] = _figures(starts, modules, marks_s)
            print(_show(title, figures[title]), end="\n\n", flush=True)
    return figures


def _figures(
    starts: list[Start], modules: dict[str, Any], marks_s: tuple[float, ...]
) -> dict[str, Any]:
    return {
        "ready_s": [s.ready_s for s in starts],
        "sought_s": [s.sought_s for s in starts],
        "found_to_first_s": [s.found_to_first_s for s in starts],
        "resident_mb": dict(zip(map(str, marks_s), starts[-1].resident_mb, strict=True)),
        "threads": starts[-1].threads,
        "modules": modules,
    }


def _show(title: str, figures: dict[str, Any]) -> str:
    sought = [s for s in figures["sought_s"] if s is not None]
    after_s, resident_mb = list(figures["resident_mb"].items())[-1]
    rows = [
        ("start to READY=1 (s)", *_three(figures["ready_s"]), ""),
        ("start to stream sought (s)", *_three(sought), TARGETS["start to stream sought"]),
        (
            "stream found to first window (s)",
            *_three(figures["found_to_first_s"]),
            TARGETS["stream found to first window"],
        ),
        (
            f"resident after {float(after_s):g} s (MB)",
            None,
            resident_mb,
            None,
            TARGETS["resident after 60 s"],
        ),
    ]
    modules = figures["modules"]
    slow = ", ".join(f"{name} {ms:.0f}" for name, ms in modules["import_ms"].items())
    return "\n".join(
        (
            table(rows, header=(title, "least", "median", "most", "reach")),
            f"resident by time (s: MB): {figures['resident_mb']}; {figures['threads']} threads",
            f"{modules['n_modules']} modules; of {', '.join(FORBIDDEN)}: "
            f"{', '.join(modules['forbidden']) or 'none'}",
            f"packages with mapped code: {', '.join(modules['mapped_packages'])}",
            f"imports (ms): {slow}",
        )
    )


def _three(values: list[float]) -> tuple[float | None, float | None, float | None]:
    if not values:
        return None, None, None
    return min(values), float(np.median(values)), max(values)


def main() -> None:
    """Run this bench alone."""
    bench_main(run)


if __name__ == "__main__":
    main()
