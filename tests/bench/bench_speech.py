"""The published speech network in the daemon: 512 features at 50 Hz over LSL, a decode every 80 ms.

Forty-five days, five GRU layers of 768: 44 million random weights, float32, one intra-op thread; a
lexicon of at least 20 000 words with a trigram. It reads nothing: only its cost is real, and as no
output stands out, the search is at its most expensive. Figures are those of the real messages.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.bench.command import bench_main
from tests.bench.headset import START_S, pushing
from tests.bench.processes import Process, daemon, free_endpoint, module, write_config
from tests.bench.simulated_speech import Language
from tests.bench.subscriber import COLUMNS
from tests.bench.tables import spread, spread_table
from tools.host import machine

N_FEATURES, N_DAYS = 512, 45
N_WORDS = 20_000
SECONDS, QUICK_SECONDS = 300.0, 20.0
WARM_UP_S = 3.0
REACH_MS = 20.0
BUDGET_MS = 100.0


def write_speech(path: Path) -> int:
    """Write the bundle; return how many parameters its network has."""
    from models.families import build
    from tools.packaging.speech_bundle import VOCABULARY, write_speech_bundle

    settings = {"n_inputs": N_FEATURES, "n_symbols": len(VOCABULARY), "n_days": N_DAYS, "day": 7}
    network: Any = build("speech-gru", settings, seed=0)
    language = Language(N_WORDS)
    write_speech_bundle(
        path,
        network,
        channels=[f"ch{k + 1}" for k in range(N_FEATURES)],
        lexicon="".join(language.lexicon_text).encode(),
        arpa="".join(language.arpa).encode(),
        data={},
    )
    return sum(p.numel() for p in network.parameters())


def decodes(path: Path) -> tuple[dict[str, NDArray[np.float64]], dict[str, Any]]:
    """Return milliseconds of each decode by stage, and the last health message."""
    with np.load(path) as arrays:
        rows = arrays["rows"]
        events = json.loads(arrays["events"].tobytes())
        health = json.loads(arrays["health"].tobytes())
    rows = rows[np.isfinite(rows[:, COLUMNS.index("transport")])]
    rows = rows[rows[:, 0] > rows[0, 0] + WARM_UP_S]
    columns = dict(zip(COLUMNS, rows.T, strict=True))
    times = np.stack([columns[name] for name in ("filter", "model", "decode")], axis=1)
    _, first = np.unique(times, axis=0, return_index=True)  # messages of one decode share them
    stages = {
        name: columns[name][first]
        for name in ("transport", "queue", "filter", "model", "decode", "publish", "total")
    }
    stages["model and decode"] = stages["model"] + stages["decode"]
    kinds = [event["kind"] for event in events]
    notes = {
        "events": {kind: kinds.count(kind) for kind in sorted(set(kinds))},
        "counters": health[-1]["counters"] if health else {},
    }
    return stages, notes


def run(*, quick: bool) -> dict[str, Any]:
    """Measure; print it."""
    seconds = QUICK_SECONDS if quick else SECONDS
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        n_parameters = write_speech(folder / "speech")
        out, endpoint = folder / "rows.npz", free_endpoint()
        began_s = time.monotonic()
        with pushing(
            folder, chunk=1, seconds=seconds + 3 * START_S, bundle=folder / "speech"
        ) as pushed:
            config = write_config(
                folder, source_id=pushed.source_id, bundle=folder / "speech", endpoint=endpoint
            )
            with (
                Process(
                    module("subscriber", endpoint=endpoint, out=out), log=folder / "sub.log"
                ) as hears,
                Process(daemon(config), log=folder / "daemon.log") as speaks,
            ):
                hears.line(timeout_s=2 * START_S)
                first_s, cpu_s = time.monotonic() - speaks.started_s, speaks.cpu_s()
                time.sleep(seconds)
                share = (speaks.cpu_s() - cpu_s) / seconds
                resident_mb = speaks.resident_mb()
                speaks.stop()
                hears.stop()
        stages, notes = decodes(out)
    figures = {name: spread(values) for name, values in stages.items()}
    title = f"{n_parameters} parameters, {N_WORDS} words"
    print(spread_table(figures, title=title, unit="ms"), end="\n\n")
    verdict = "reached" if float(figures["model and decode"]["p99"] or 0) < REACH_MS else "NOT"
    over = int(np.count_nonzero(stages["total"] > BUDGET_MS))
    print(
        f"p99 of model and decode below {REACH_MS:g} ms: {verdict}; {over} of"
        f" {len(stages['total'])} decodes over {BUDGET_MS:g} ms; {100 * share:.0f} % of a core,"
        f" {resident_mb:.0f} MB; first message {first_s:.1f} s after the start;"
        f" {notes}; load {machine.load()}",
        end="\n\n",
        flush=True,
    )
    return {
        "parameters": n_parameters,
        "stages_ms": figures,
        "over_budget": over,
        "cpu_share": share,
        "resident_mb": resident_mb,
        "first_message_s": first_s,
        "seconds": time.monotonic() - began_s,
        "notes": notes,
    }


if __name__ == "__main__":
    bench_main(run)
