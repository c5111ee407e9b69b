"""Many headsets in one process: each pushes the reference's EEG into LSL, when a chunk is due.

Prints ``pushing`` once all outlets have a consumer, pushes for ``--seconds``, prints as JSON how
many samples it pushed into each and how late it was, and waits for SIGTERM: what was pushed last
must still arrive.

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


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--source-id", required=True)
    parser.add_argument("--streams", type=int, required=True)
    parser.add_argument("--chunk", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
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
    began_s = local_clock() + 0.5
    for k in range(n_chunks):
        samples = noise[k % 400 * chunk : (k % 400 + 1) * chunk]
        for n, outlet in enumerate(outlets):  # headsets are not in step: spread over the period
            stamps = (began_s + (k + n / len(outlets)) * period_s + offsets_s).tolist()
            if (wait_s := stamps[-1] - local_clock()) > 0:
                time.sleep(wait_s)
            late_ms[k, n] = (local_clock() - stamps[-1]) * 1e3
            outlet.push_chunk(samples, stamps)
    found = {"n_samples": n_chunks * chunk, "late_ms": spread(late_ms)}
    print(json.dumps(found), flush=True)
    signal.sigwait({signal.SIGTERM})


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    main()
