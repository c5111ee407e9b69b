"""Small recordings with spans of text, written on the spot in several formats."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.design_band import design
from pipeline.spec import Band, CtcDecoder, Normalise, PipelineSpec, SlidingWindow
from runtime.simulation.synthesis import SynthesisSettings, synthesise
from tools.verbs.simulate import write_xdf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from runtime.simulation.synthesis import Session

RATE_HZ = 100.0
LABELS = ("Fz", "Cz", "Pz")


def eeg(n_samples: int, *, seed: int = 0, n_channels: int = len(LABELS)) -> NDArray[np.float32]:
    """Return noise of EEG's size, ``(n_samples, n_channels)`` µV."""
    return np.random.default_rng(seed).normal(0, 20, (n_samples, n_channels)).astype(np.float32)


def write_array(
    path: Path,
    spans: Sequence[tuple[str, int, int]],
    *,
    samples: NDArray[np.float32] | None = None,
    seed: int = 0,
    markers: Sequence[tuple[str, int]] = (),
    rate_hz: float = RATE_HZ,
    labels: tuple[str, ...] = LABELS,
) -> Path:
    """Write an array with its sidecar; ``spans`` are text, start and stop, beside ``markers``."""
    samples = eeg(3000, seed=seed, n_channels=len(labels)) if samples is None else samples
    given = [*markers]
    for text, start, stop in spans:
        given += [(f"text:{text}", start), ("text:end", stop)]
    sidecar = {
        "rate_hz": rate_hz,
        "channels": labels,
        "markers": [{"sample": at, "text": text} for text, at in given],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, samples)
    path.with_suffix(".json").write_text(json.dumps(sidecar))
    return path


def small_spec(vocabulary: str = "abc", *, labels: tuple[str, ...] = LABELS) -> PipelineSpec:
    """Return a pipeline for recordings of :func:`write_array`, with two bands."""
    return design(
        PipelineSpec(
            rate_hz=RATE_HZ,
            channels=labels,
            bands=(
                Band(low_hz=4.0, high_hz=12.0, order=2),
                Band(low_hz=12.0, high_hz=30.0, order=2),
            ),
            normalise=Normalise(kind="running", time_constant_s=2.0, clip=8.0),
            window=SlidingWindow(window_samples=8, hop_samples=8),
            decoder=CtcDecoder(),
            vocabulary=("", *vocabulary),
        )
    )


def simulated(texts: Sequence[str], *, seed: int) -> Session:
    """Return a session of the simulated person, with two seconds of rest around each text."""
    return synthesise(list(texts), seed=seed)


def write_simulated(path: Path, session: Session) -> Path:
    """Write it as ``eegscribe simulate --out`` does."""
    write_xdf(path, session, name="cap", rate_hz=SynthesisSettings().rate_hz)
    return path


def write_fif(path: Path, session: Session) -> Path:
    """Write it as FIF; the texts are annotations that last."""
    import mne

    from runtime.paradigm import CHANNELS

    rate_hz = SynthesisSettings().rate_hz
    info = mne.create_info(list(CHANNELS), rate_hz, "eeg")
    raw = mne.io.RawArray(session.samples.T.astype(np.float64) * 1e-6, info, verbose="ERROR")
    raw.set_annotations(
        mne.Annotations(
            [span.start / rate_hz for span in session.spans],
            [(span.stop - span.start) / rate_hz for span in session.spans],
            [f"text:{span.text}" for span in session.spans],
        )
    )
    raw.save(path, fmt="double", verbose="ERROR")
    return path


def write_bids(root: Path, session: Session, *, subject: str, named: str) -> Path:
    """Write it as BrainVision below a BIDS folder, its texts in a table of events."""
    from runtime.paradigm import CHANNELS

    rate_hz = SynthesisSettings().rate_hz
    folder = root / f"sub-{subject}" / f"ses-{named}" / "eeg"
    folder.mkdir(parents=True)
    stem = f"sub-{subject}_ses-{named}_task-copy"
    channels = "".join(f"Ch{k + 1}={name},,1,µV\n" for k, name in enumerate(CHANNELS))
    path = folder / f"{stem}_eeg.vhdr"
    path.write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n[Common Infos]\nCodepage=UTF-8\n"
        f"DataFile={stem}_eeg.eeg\nMarkerFile={stem}_eeg.vmrk\nDataFormat=BINARY\n"
        f"DataOrientation=MULTIPLEXED\nNumberOfChannels={len(CHANNELS)}\n"
        f"SamplingInterval={1e6 / rate_hz:g}\n"
        f"[Binary Infos]\nBinaryFormat=IEEE_FLOAT_32\n[Channel Infos]\n{channels}"
    )
    path.with_suffix(".eeg").write_bytes(session.samples.tobytes())
    path.with_suffix(".vmrk").write_text(
        "Brain Vision Data Exchange Marker File, Version 1.0\n[Common Infos]\nCodepage=UTF-8\n"
        f"DataFile={stem}_eeg.eeg\n[Marker Infos]\nMk1=Comment,text:not this,101,100,0\n"
    )
    rows = "".join(
        f"{span.start / rate_hz}\t{(span.stop - span.start) / rate_hz}\tsentence/{span.text}\n"
        for span in session.spans
    )
    (folder / f"{stem}_events.tsv").write_text(f"onset\tduration\ttrial_type\n0\tn/a\tcue\n{rows}")
    return path
