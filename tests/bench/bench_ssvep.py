"""The calibrated speller on the given SSVEP recordings, each run left out once.

Trained on two runs, tested on the third; 1.0 s of EEG from 0.14 s after the stimulus, no
abstention. Beside it, on the same folds, plain filter-bank TDCA without and with a notch at the
mains (60 Hz): these recordings are full of it. Differences are paired by trial; their interval is a
bootstrap over trials within runs. Shuffled labels are the control.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from runtime.recordings.source import RecordingSource
from tests.bench.command import bench_main
from tests.bench.tables import table
from tests.bench.tdca import Peer, read
from tests.given import DATA, recording
from tools.calibration.calibrate import Calibration, calibrate_ssvep
from tools.calibration.report import figures_of
from tools.recordings.labelled_trials import Recording, read_recording
from tools.recordings.layout import SsvepLayout, read_layout

N_RUNS = 3
PEERS = {"TDCA": Peer(), "TDCA + notch": Peer(notch_hz=60.0)}
N_BOOTSTRAP = 10_000

Right = NDArray[np.bool_]


def load() -> tuple[list[Recording], SsvepLayout]:
    """Return the given runs and their layout."""
    if not (DATA / "recordings").is_dir():
        raise SystemExit(f"no given recordings in {DATA} (set EEGSCRIBE_DATA)")
    layout = read_layout(recording("ssvep32_layout.json"))
    if not isinstance(layout, SsvepLayout):
        raise SystemExit("the given layout is of another kind")
    names = [f"ssvep32_run{run + 1}.xdf" for run in range(N_RUNS)]
    return [
        read_recording(RecordingSource(recording(name)), name=name, stimulus=layout.stimulus)
        for name in names
    ], layout


def peer_right(
    peer: Peer, recordings: list[Recording], layout: SsvepLayout, ours: Calibration, n_samples: int
) -> Right:
    """Return which held-out trials the peer reads from ``n_samples``, in our order of trials."""
    rate_hz = ours.spec.rate_hz
    vocabulary = layout.vocabulary
    bands: list[list[NDArray[np.float64]]] = []
    labels: list[NDArray[np.intp]] = []
    for run in recordings:
        filtered = peer.filter_bank(run.samples.astype(np.float64), rate_hz=rate_hz)
        starts = [(t.onset or 0) + ours.window.offset_samples for t in run.labelled]
        length = n_samples + peer.n_delays
        bands.append([np.stack([f[s : s + length] for s in starts]) for f in filtered])
        labels.append(np.array([vocabulary.index(t.label or "") for t in run.labelled]))
    right: list[Right] = []
    for held_out in range(N_RUNS):
        others = [run for run in range(N_RUNS) if run != held_out]
        n_bands = len(peer.bands_hz)
        scores = read(
            peer,
            [np.concatenate([bands[run][k] for run in others]) for k in range(n_bands)],
            np.concatenate([labels[run] for run in others]),
            [bands[held_out][k][:, :n_samples] for k in range(n_bands)],
            frequencies_hz=np.array([s.frequency_hz for s in layout.symbols]),
            phases_rad=np.array([np.pi * s.phase_rad_over_pi for s in layout.symbols]),
            rate_hz=rate_hz,
        )
        right.append(scores.argmax(axis=1) == labels[held_out])
    return np.concatenate(right)


def paired(ours: Right, peers: Right, runs: NDArray[np.intp]) -> dict[str, Any]:
    """Return the difference of accuracies, its 95 % interval, and McNemar's exact p."""
    rng = np.random.default_rng(0)
    gain = ours.astype(np.float64) - peers
    draws = [rng.choice(gain[runs == r], (N_BOOTSTRAP, (runs == r).sum())) for r in np.unique(runs)]
    low, high = np.percentile(np.concatenate(draws, axis=1).mean(axis=1), [2.5, 97.5])
    only_ours, only_peers = int((gain > 0).sum()), int((gain < 0).sum())
    n_differ = only_ours + only_peers
    return {
        "difference": float(gain.mean()),
        "interval_95": [float(low), float(high)],
        "only_ours": only_ours,
        "only_peers": only_peers,
        "p": float(binomtest(only_ours, n_differ).pvalue) if n_differ else 1.0,
    }


def run(*, quick: bool) -> dict[str, Any]:
    """Measure and print."""
    recordings, layout = load()
    ours = calibrate_ssvep(recordings, layout, max_s=1.0, n_shuffles=3 if quick else 50)
    figures = figures_of(ours)
    runs = ours.data.runs
    labels = ours.data.labels[:, np.newaxis]
    right = {"eegscribe": ours.scores.argmax(axis=2) == labels}
    looks = ours.window.checkpoints_samples
    kept = [len(looks) - 1] if quick else list(range(len(looks)))
    for name, peer in PEERS.items():
        columns = [peer_right(peer, recordings, layout, ours, looks[k]) for k in kept]
        right[name] = np.stack(columns, axis=1)

    folds = {
        name: [float(r[runs == k, -1].mean()) for k in range(N_RUNS)] for name, r in right.items()
    }
    header = ("held out", *(f"run {k + 1}" for k in range(N_RUNS)), "mean")
    print(table([(n, *f, float(np.mean(f))) for n, f in folds.items()], header=header), end="\n\n")
    seconds = [looks[k] / ours.spec.rate_hz for k in kept]
    accuracy = {name: r[:, -len(kept) :].mean(axis=0) for name, r in right.items()}
    header = ("seconds of EEG", *(f"{s:.1f}" for s in seconds))
    print(table([(n, *map(float, a)) for n, a in accuracy.items()], header=header), end="\n\n")

    differences = {n: paired(right["eegscribe"][:, -1], right[n][:, -1], runs) for n in PEERS}
    for name, found in differences.items():
        low, high = found["interval_95"]
        print(
            f"eegscribe minus {name}: {found['difference']:+.3f} [{low:+.3f}, {high:+.3f}],"
            f" {found['only_ours']} trials against {found['only_peers']}, p = {found['p']:.2g}"
        )
    shuffled, band = figures["shuffled"], figures["chance_band_95"]
    print(
        f"shuffled labels: {shuffled['accuracy']:.3f} (highest of {shuffled['n']}:"
        f" {shuffled['highest']:.3f}); chance {figures['chance']:.3f}, 95 % of guessing"
        f" {band[0]:.3f} to {band[1]:.3f}\n",
        flush=True,
    )
    return {
        "folds": folds,
        "seconds": seconds,
        "accuracy": {name: a.tolist() for name, a in accuracy.items()},
        "differences": differences,
        "calibration": figures,
    }


def main() -> None:
    """Run this bench alone."""
    bench_main(run)


if __name__ == "__main__":
    main()
