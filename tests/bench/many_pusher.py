"""Many headsets in one process: each pushes the reference's EEG into LSL, when a chunk is due.

Prints ``pushing`` once all outlets have a consumer, pushes for ``--seconds``, prints as JSON how
many samples it pushed into each and how late it was, and waits for SIGTERM: what was pushed last
must still arrive.

Headsets are switched on one after the other, within a second; with ``--in-step`` at once, a
thirty-second of a chunk apart, so that all decodes fall due together.

    python -m tests.bench.many_pusher --source-id S --streams 32 --chunk 10 --seconds 60
"""

from __future__ import annotations

import argparse
import gc
import json
import signal
import sys
import time

import numpy as np
from pylsl import local_clock

from tests.bench.pusher import Headset, make_outlet
from tests.bench.tables import spread

CONSUMERS_S = 60.0
SWITCHED_ON_S = 1.0


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--source-id", required=True)
    parser.add_argument("--streams", type=int, required=True)
    parser.add_argument("--chunk", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--in-step", action="store_true")
    options = parser.parse_args()
    headset, chunk = Headset(), options.chunk
    outlets = [make_outlet(headset, f"{options.source_id}-{k}") for k in range(options.streams)]
    until_s = time.monotonic() + CONSUMERS_S
    for outlet in outlets:
        if not outlet.wait_for_consumers(max(0.0, until_s - time.monotonic())):
            sys.exit("an outlet has no consumer")
    print("pushing", flush=True)
    gc.disable()
    rng = np.random.default_rng(0)
    noise = (20 * rng.standard_normal((chunk * 400, len(headset.channels)))).astype(np.float32)
    n_chunks = round(options.seconds * headset.rate_hz) // chunk
    period_s = chunk / headset.rate_hz
    offsets_s = np.arange(chunk) / headset.rate_hz
    late_ms = np.zeros((n_chunks, len(outlets)))
    switched_on_s = np.arange(len(outlets)) / len(outlets) * period_s
    if not options.in_step:
        switched_on_s = rng.uniform(0.0, SWITCHED_ON_S, len(outlets))
    starts_s = switched_on_s[None, :] + np.arange(n_chunks)[:, None] * period_s
    began_s = local_clock() + 0.5
    for turn in np.argsort(starts_s, axis=None, kind="stable"):
        k, n = divmod(int(turn), len(outlets))
        stamps = (began_s + starts_s[k, n] + offsets_s).tolist()
        if (wait_s := stamps[-1] - local_clock()) > 0:
            time.sleep(wait_s)
        late_ms[k, n] = (local_clock() - stamps[-1]) * 1e3
        outlets[n].push_chunk(noise[k % 400 * chunk : (k % 400 + 1) * chunk], stamps)
    found = {"n_samples": n_chunks * chunk, "late_ms": spread(late_ms)}
    print(json.dumps(found), flush=True)
    signal.sigwait({signal.SIGTERM})


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    main()
