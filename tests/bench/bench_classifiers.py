"""Standard EEG networks beside the closed forms, on real recordings and the very same splits.

SSVEP: leave one of three runs out, 1.0 s of EEG; EEGNet, and braindecode's where it is installed,
against the calibrated speller. P300: each of five letters left out, for each of three people; the
same networks against shrinkage LDA, by the area under the curve of single flashes. Differences are
paired, their intervals a bootstrap over trials within runs, or flashes within letters. Shuffled
labels are the control. Recipes were tried on SSVEP run 3 and on the first person's P300 alone.
"""

from __future__ import annotations

import functools
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.families import build
from models.speller_validation import chance_band
from pipeline.errors import UsageError
from pipeline.spec import PipelineSpec
from tests.bench.bench_ssvep import N_BOOTSTRAP, N_RUNS, load, paired
from tests.bench.command import bench_main
from tests.bench.shrinkage_lda import fit_lda
from tests.bench.tables import table
from tests.given import recording
from tools.calibration.calibrate import calibrate_ssvep
from tools.recordings.layout import read_layout
from tools.training.classifier.course import read_trials
from tools.training.classifier.fit import fit, score
from tools.training.classifier.scores import area_under_curve, letters_right
from tools.training.data.trial_windows import TrialWindows
from tools.training.recipe import Recipe, read_recipe

PEOPLE = ("s1", "s2", "s3")
N_WORKERS = 2
N_DRAWS = N_BOOTSTRAP // 10

BRAINDECODE: dict[str, dict[str, Any]] = {
    "ssvep": {"F1": 4, "D": 4, "F2": 8, "kernel_length": 75, "pool1_kernel_size": 3,
              "pool2_kernel_size": 1, "drop_prob": 0.5},
    "p300": {"F1": 8, "D": 2, "F2": 16, "kernel_length": 15, "pool1_kernel_size": 4,
             "pool2_kernel_size": 4, "drop_prob": 0.25},
}  # fmt: skip
"""EEGNet of braindecode in the shape of our recipe's."""


@dataclass(frozen=True)
class Job:
    """One training: on all folds of ``data`` but one, its labels shuffled where there is a seed."""

    network: str
    data: str
    fold: int
    shuffled: int | None = None

    @property
    def kind(self) -> str:
        return "ssvep" if self.data == "ssvep" else "p300"


def recipe_of(job: Job) -> Recipe:
    """Return the recipe that ships, or braindecode's network in its place."""
    recipe = read_recipe(f"eegnet-{job.kind}")
    if job.network == "EEGNet":
        return recipe
    given = {"name": "EEGNet", "options": BRAINDECODE[job.kind]}
    if "patch_s" in recipe.network:
        given["patch_s"] = recipe.network["patch_s"]
    return read_recipe(f"eegnet-{job.kind}", {"family": "braindecode", "network": given})


@functools.cache
def trials(data: str) -> tuple[PipelineSpec, TrialWindows]:
    """Return the pipeline and the windows of the three runs, or of one person."""
    if data == "ssvep":
        names = [f"ssvep32_run{run + 1}.xdf" for run in range(N_RUNS)]
        layout = read_layout(recording("ssvep32_layout.json"))
        return read_trials([recording(n) for n in names], layout, read_recipe("eegnet-ssvep"))
    layout = read_layout(recording("p300_layout.json"))
    return read_trials([recording(f"p300_{data}.xdf")], layout, read_recipe("eegnet-p300"))


def folds_of(data: str) -> NDArray[np.intp]:
    """Return the fold of each window: its run, or its letter."""
    windows = trials(data)[1]
    return windows.runs if data == "ssvep" else windows.trials


def run_job(job: Job) -> NDArray[np.float64]:
    """Return the held-out fold's scores (n, V)."""
    import torch

    torch.set_num_threads(1)
    spec, windows = trials(job.data)
    is_held_out = folds_of(job.data) == job.fold
    training = windows[~is_held_out]
    if job.shuffled is not None:
        labels = np.random.default_rng([job.shuffled, job.fold]).permutation(training.labels)
        training = replace(training, labels=labels)
    return score(fit(training, recipe_of(job), spec), windows[is_held_out])


def run_jobs(jobs: list[Job]) -> dict[Job, NDArray[np.float64]]:
    """Return every job's scores, two at a time, each in a process of one thread."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(N_WORKERS, mp_context=context) as pool:
        return dict(zip(jobs, pool.map(run_job, jobs), strict=True))


def gathered(
    found: dict[Job, NDArray[np.float64]], network: str, data: str, shuffled: int | None = None
) -> NDArray[np.float64]:
    """Return the held-out scores of all folds in the order of the windows."""
    folds = folds_of(data)
    pieces = {f: found[Job(network, data, int(f), shuffled)] for f in np.unique(folds)}
    scores = np.empty((len(folds), next(iter(pieces.values())).shape[1]))
    for fold, piece in pieces.items():
        scores[folds == fold] = piece
    return scores


def ssvep(found: dict[Job, NDArray[np.float64]], networks: list[str]) -> dict[str, Any]:
    """Compare the networks with the speller, trial by trial, and print."""
    recordings, layout = load()
    speller = calibrate_ssvep(recordings, layout, max_s=1.0, n_shuffles=0)
    _, windows = trials("ssvep")
    if not np.array_equal(speller.data.labels, windows.labels):
        raise SystemExit("the speller and the networks were given other trials")
    right = {"speller": speller.scores[:, -1].argmax(axis=1) == windows.labels}
    for name in networks:
        right[name] = gathered(found, name, "ssvep").argmax(axis=1) == windows.labels
    shuffled = gathered(found, "EEGNet", "ssvep", 0).argmax(axis=1) == windows.labels
    rows = [(n, *(float(r[windows.runs == k].mean()) for k in range(N_RUNS)), float(r.mean()))
            for n, r in right.items()]  # fmt: skip
    header = ("SSVEP, held out", *(f"run {k + 1}" for k in range(N_RUNS)), "all")
    print(table(rows, header=header), end="\n\n")
    differences = {n: paired(right[n], right["speller"], windows.runs) for n in networks}
    for name, difference in differences.items():
        low, high = difference["interval_95"]
        print(f"{name} minus speller: {difference['difference']:+.3f} [{low:+.3f}, {high:+.3f}],"
              f" p = {difference['p']:.2g}")  # fmt: skip
    band = chance_band(len(layout.vocabulary), len(windows))
    print(f"shuffled labels, EEGNet: {shuffled.mean():.3f}; 95 % of guessing"
          f" {band[0]:.3f} to {band[1]:.3f}\n", flush=True)  # fmt: skip
    return {
        "accuracy": {row[0]: row[1:] for row in rows},
        "differences": differences,
        "shuffled": float(shuffled.mean()),
        "chance_band_95": band,
    }


def p300(
    found: dict[Job, NDArray[np.float64]], networks: list[str], people: list[str]
) -> dict[str, Any]:
    """Compare the networks with shrinkage LDA, flash by flash, and print."""
    figures: dict[str, Any] = {}
    rows: list[tuple[object, ...]] = []
    for person in people:
        spec, windows = trials(person)
        folds, attended = folds_of(person), windows.labels > 0
        scores = {"LDA": np.empty(len(windows))}
        for fold in np.unique(folds):
            lda = fit_lda(windows.samples[folds != fold], attended[folds != fold])
            scores["LDA"][folds == fold] = lda.scores(windows.samples[folds == fold])
        scores |= {name: gathered(found, name, person)[:, 0] for name in networks}
        shuffled = gathered(found, "EEGNet", person, 0)[:, 0]
        for name, values in scores.items():
            area = mean_area(values, attended, folds)
            letters = float(letters_right(values, windows, spec).mean())
            gap = None if name == "LDA" else area_gap(values, scores["LDA"], attended, folds)
            figures[f"{person} {name}"] = {"area": area, "letters": letters, "minus_lda": gap}
            shown = "" if gap is None else f"{gap[0]:+.3f} [{gap[1]:+.3f}, {gap[2]:+.3f}]"
            rows.append((f"{person} {name}", area, letters, shown))
        control = mean_area(shuffled, attended, folds)
        figures[f"{person} shuffled"] = control
        rows.append((f"{person} EEGNet, shuffled", control, None, ""))
    header = ("P300, held out", "area", "letters after 15", "minus LDA")
    print(table(rows, header=header), end="\n\n", flush=True)
    return figures


def mean_area(
    scores: NDArray[np.float64], attended: NDArray[np.bool_], folds: NDArray[np.intp]
) -> float:
    """Return the mean over letters of the area under the curve."""
    of = [area_under_curve(scores[folds == f], attended[folds == f]) for f in np.unique(folds)]
    return float(np.mean(of))


def area_gap(
    ours: NDArray[np.float64],
    peers: NDArray[np.float64],
    attended: NDArray[np.bool_],
    folds: NDArray[np.intp],
) -> tuple[float, float, float]:
    """Return ours minus the peer's, and its 95 % interval, the same flashes drawn for both."""
    rng = np.random.default_rng(0)
    strata = [np.flatnonzero((folds == f) & (attended == a))
              for f in np.unique(folds) for a in (False, True)]  # fmt: skip
    draws = []
    for _ in range(N_DRAWS):
        drawn = np.concatenate([rng.choice(members, len(members)) for members in strata])
        of = folds[drawn]
        draws.append(
            mean_area(ours[drawn], attended[drawn], of)
            - mean_area(peers[drawn], attended[drawn], of)
        )
    gap = mean_area(ours, attended, folds) - mean_area(peers, attended, folds)
    low, high = np.percentile(draws, [2.5, 97.5])
    return gap, float(low), float(high)


def why_no_braindecode() -> str:
    """Return why its networks cannot be built here, nothing where they can."""
    try:
        build("braindecode", {"n_inputs": 8, "n_symbols": 2, "n_samples": 200, "rate_hz": 250.0})
    except UsageError as error:
        return str(error)
    return ""


def run(*, quick: bool) -> dict[str, Any]:
    """Measure and print."""
    networks = ["EEGNet"]
    missing = "a short look" if quick else why_no_braindecode()
    if missing:
        print(f"our own EEGNet alone: {missing}\n")
    else:
        networks.append("braindecode EEGNet")
    people = list(PEOPLE[:1] if quick else PEOPLE)
    jobs = [Job(n, "ssvep", run) for n in networks for run in range(N_RUNS)]
    jobs += [Job("EEGNet", "ssvep", run, 0) for run in range(N_RUNS)]
    letters = {person: np.unique(folds_of(person)) for person in people}
    jobs += [Job(n, p, int(f)) for n in networks for p in people for f in letters[p]]
    jobs += [Job("EEGNet", p, int(f), 0) for p in people for f in letters[p]]
    found = run_jobs(jobs)
    return {"ssvep": ssvep(found, networks), "p300": p300(found, networks, people)}


def main() -> None:
    """Run this bench alone."""
    bench_main(run)


if __name__ == "__main__":
    main()
