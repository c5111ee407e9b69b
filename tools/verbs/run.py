"""``eegscribe run``: the daemon."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from argparse import Namespace

EXAMPLE = """example:
  eegscribe run --config eegscribe.toml

SIGTERM: decode and publish what was received, then end. SIGUSR1: write where the time goes, until
the next SIGUSR1 or for profile.seconds (60), into profile.directory. From outside:
  py-spy record --pid PID --native --threads --output profile.svg"""


def add_parser(verbs: Any) -> None:
    """Add the verb's arguments."""
    parser = verbs.add_parser(
        "run",
        help="the daemon",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--config", type=Path, required=True, help="configuration file (TOML)")
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Run the daemon until it is asked to stop."""
    from runtime.config import read_config
    from runtime.log import set_up

    config = read_config(options.config)
    set_up(config.log)
    from runtime.daemon import run_daemon  # after the configuration: a wrong one fails at once

    run_daemon(config)
    return 0
