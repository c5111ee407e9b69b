"""``eegscribe check``: everything that is wrong, before it matters."""

from __future__ import annotations

import argparse
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.errors import EegscribeError, UsageError
from runtime.config import DaemonConfig, config_problems, read_config, sound_streams
from tools.first_day.host_checks import Finding, host_findings

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

    import zmq

    from runtime.config import Curve

EXAMPLE = """example:
  eegscribe check --config eegscribe.toml

Exits with the first that applies of 78 (configuration), 65 (bundle), 69 (stream); 0 if nothing is
wrong. Warnings change nothing."""

CODES = (78, 65, 69)
MARKS = {"ok": "ok     ", "warning": "warning", "problem": "PROBLEM"}


def add_parser(verbs: Any) -> None:
    """Add the verb's arguments."""
    parser = verbs.add_parser(
        "check",
        help="say everything that is wrong with a configuration, before it matters",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--config", type=Path, required=True, help="configuration file (TOML)")
    parser.add_argument(
        "--timeout", type=float, default=3.0, metavar="S", help="to look for a stream (%(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="JSON lines, the last one a summary")
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Run the verb."""
    if not 0 < options.timeout <= 3600:
        raise UsageError(f"--timeout: got {options.timeout}, wanted seconds above 0, at most 3600")
    found: list[Finding] = []
    for finding in findings(options.config, timeout_s=options.timeout):
        found.append(finding)
        if options.json:
            print(msgspec.json.encode({"type": "finding"} | asdict(finding)).decode(), flush=True)
        else:
            print(f"{MARKS[finding.level]} {finding.area}: {finding.message}", flush=True)
    code = exit_code(found)
    n_problems = sum(finding.level == "problem" for finding in found)
    n_warnings = sum(finding.level == "warning" for finding in found)
    if options.json:
        summary = {"type": "summary", "problems": n_problems, "warnings": n_warnings}
        print(msgspec.json.encode(summary | {"exit_code": code}).decode())
    else:
        print(f"problems: {n_problems}, warnings: {n_warnings}")
    return code


def exit_code(found: list[Finding]) -> int:
    """Return the first of 78, 65, 69 that a problem asks for, else 1 for any other, else 0."""
    codes = {finding.code for finding in found if finding.level == "problem"}
    return next((code for code in CODES if code in codes), 1 if codes else 0)


def findings(path: Path, *, timeout_s: float) -> Iterator[Finding]:
    """Yield everything found of the configuration in ``path`` and of this host."""
    problems = config_problems(path)
    for problem in problems:
        yield Finding("problem", "configuration", str(problem), problem.exit_code)
    if not problems:
        yield Finding("ok", "configuration", f"{path} is right")
        yield from _place_findings(read_config(path))
    yield from host_findings()
    streams = sound_streams(path)
    if streams:
        from runtime.lsl.log import hush_lsl
        from tools.first_day.stream_checks import stream_findings

        hush_lsl()
        model = DaemonConfig(streams=()).model if problems else read_config(path).model
        for stream in streams:
            yield from stream_findings(
                stream, providers=model.providers, n_threads=model.threads, timeout_s=timeout_s
            )


def _place_findings(config: DaemonConfig) -> Iterator[Finding]:
    """Yield folders that cannot be written, keys that are none, endpoints that cannot be bound."""
    folders = [("journal.path", config.journal.path.parent), ("model.cache", config.model.cache)]
    if config.record.directory is not None:
        folders.append(("record.directory", config.record.directory))
    if config.profile.at_start:
        folders.append(("profile.directory", config.profile.directory))
    for where, folder in folders:
        if not _may_write(folder):
            yield Finding(
                "problem", "configuration", f"{where}: {folder} cannot be written, wanted so", 78
            )
    curves = (("publish.curve", config.publish.curve), ("control.curve", config.control.curve))
    for where, curve in curves:
        if curve is not None:
            yield from _curve_findings(curve, where)
    for endpoint in config.publish.endpoints:
        yield from _endpoint_findings(endpoint, "publish.endpoint")
    yield from _endpoint_findings(config.control.endpoint, "control.endpoint")


def _curve_findings(curve: Curve, where: str) -> Iterator[Finding]:
    from runtime.wire.curve import read_keys

    try:
        read_keys(curve, where=where)
    except EegscribeError as error:
        yield Finding("problem", "configuration", str(error), error.exit_code)


def _endpoint_findings(text: str, where: str) -> Iterator[Finding]:
    """Yield what stands against binding; a running daemon is the usual reason, and no fault."""
    import zmq

    from runtime.wire.endpoints import EndpointInUse, bind, parse_endpoint

    endpoint = parse_endpoint(text)
    if endpoint.transport == "ipc":
        folder = Path(endpoint.path).parent
        if not endpoint.path.startswith("@") and not _may_write(folder):
            yield Finding("problem", "configuration", f"{where}: {folder} cannot be written", 78)
        return
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    try:
        with context, context.socket(zmq.PUB) as socket:
            bind(socket, text, where=where)
    except EndpointInUse as error:
        yield Finding("warning", "configuration", f"{error} (is the daemon running already?)")
    except EegscribeError as error:
        yield Finding("problem", "configuration", str(error), error.exit_code)


def _may_write(folder: Path) -> bool:
    """Return whether ``folder`` can be written, or made in the nearest folder there is."""
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)
