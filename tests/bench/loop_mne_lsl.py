r"""The same loop on MNE-LSL's StreamLSL, in the peers' own environment; imports nothing of ours.

``--way poll``: the main thread waits for ``n_new_samples`` and takes ``get_data``. ``--way
callback``, the quicker one: the model runs in MNE-LSL's acquisition thread as soon as a window is
full. Rows as in ``loop_pylsl``.

    .venv-peers/bin/python tests/bench/loop_mne_lsl.py --source-id S --model M.onnx --seconds 60 \
        --out FILE.npy
"""

from __future__ import annotations

import argparse
import threading
import time
from pathlib import Path

import mne_lsl
import numpy as np
import onnxruntime
from mne_lsl.lsl import local_clock
from mne_lsl.stream import StreamLSL

POLL_S = 0.0002


class Decoder:
    """The model with its carried state, fed one window at a time."""

    def __init__(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            path, options, providers=["CPUExecutionProvider"]
        )
        self._inputs = {
            i.name: np.zeros(i.shape, dtype=np.float32) for i in self._session.get_inputs()
        }
        self._window = self._inputs["samples"][0]
        self._states = [name for name in self._inputs if name != "samples"]
        self._n_filled = 0
        self.n_samples = len(self._window)
        self.rows: list[tuple[float, float, float]] = []
        for _ in range(20):
            self._session.run(None, self._inputs)

    def decode(self, samples: np.ndarray, last_stamp: float) -> None:
        """Run the model on a whole window ``(n_samples, n_channels)``."""
        self._window[:] = samples
        began_s = local_clock()
        _, *following = self._session.run(None, self._inputs)
        ready_s = local_clock()
        self._inputs.update(zip(self._states, following, strict=True))
        self.rows.append((last_stamp, ready_s, ready_s - began_s))
        if len(self.rows) == 1:
            print("first", flush=True)

    def take(
        self, data: np.ndarray, stamps: np.ndarray, _info: object
    ) -> tuple[np.ndarray, np.ndarray]:
        """Fill windows from whatever came, and decode each as it fills: a callback of StreamLSL."""
        start = 0
        while start < len(data):
            n_taken = min(self.n_samples - self._n_filled, len(data) - start)
            self._window[self._n_filled : self._n_filled + n_taken] = data[start : start + n_taken]
            self._n_filled += n_taken
            start += n_taken
            if self._n_filled == self.n_samples:
                self._n_filled = 0
                self.decode(self._window.copy(), stamps[start - 1])
        return data, stamps


def poll(stream: StreamLSL, decoder: Decoder, seconds: float) -> None:
    """Wait for a hop of new samples in the main thread, and decode the newest window."""
    rate_hz = stream.info["sfreq"]
    until_s = local_clock() + seconds
    while local_clock() < until_s:
        while stream.n_new_samples < decoder.n_samples:
            time.sleep(POLL_S)
        data, stamps = stream.get_data(winsize=decoder.n_samples / rate_hz)
        decoder.decode(data.T, stamps[-1])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--source-id", required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--way", choices=("poll", "callback"), default="callback")
    options = parser.parse_args()
    mne_lsl.set_log_level("ERROR")
    decoder = Decoder(options.model)
    stream = StreamLSL(2.0, source_id=options.source_id)
    stream.connect(acquisition_delay=0.001, timeout=10.0)
    if options.way == "poll":
        poll(stream, decoder, options.seconds)
    else:
        stream.add_callback(decoder.take)
        threading.Event().wait(options.seconds)
    stream.disconnect()
    np.save(options.out, np.array(decoder.rows))


if __name__ == "__main__":
    main()
