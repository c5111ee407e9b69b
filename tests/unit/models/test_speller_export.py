from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnxruntime as ort
import pytest

from models.onnx_scan import check_onnx
from models.speller import SpellerFit, fit_speller
from models.speller_export import export_speller
from tests.unit.models.ssvep_data import FREQUENCIES_HZ, simulate


def fitted(rate_hz: float) -> tuple[SpellerFit, np.ndarray]:
    windows, labels = simulate(
        n_repeats=4, seed=1, rate_hz=rate_hz, n_samples=int(0.8 * rate_hz) + 1
    )
    n_samples = windows.shape[1]
    fit = fit_speller(
        windows, labels,
        rate_hz=rate_hz, frequencies_hz=FREQUENCIES_HZ,
        checkpoints_samples=(n_samples // 4, n_samples // 2, n_samples),
    )  # fmt: skip
    return replace(fit, temperature=np.array([2.0, 1.5, 1.1])), windows


def run(model: bytes, windows: np.ndarray) -> np.ndarray:
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(["scores"], {"samples": w[None]})[0] for w in windows])


@pytest.mark.parametrize("rate_hz", [250.0, 300.0, 512.0, 1000.0])
def test_gives_the_numbers_of_the_fit(rate_hz: float) -> None:
    fit, windows = fitted(rate_hz)
    model = export_speller(fit)
    check_onnx(model, where="model.onnx")
    np.testing.assert_allclose(run(model, windows), fit.scores(windows), atol=1e-5)


@pytest.mark.parametrize("rate_hz", [250.0, 1000.0])
def test_a_large_offset_costs_no_digits(rate_hz: float) -> None:
    fit, windows = fitted(rate_hz)
    moved = windows + np.float32(100_000)
    np.testing.assert_allclose(run(export_speller(fit), moved), fit.scores(moved), atol=1e-5)


def test_later_samples_may_be_zero() -> None:
    fit, windows = fitted(250.0)
    model = export_speller(fit)
    cut = windows.copy()
    cut[:, fit.checkpoints_samples[1] :] = 0
    np.testing.assert_array_equal(run(model, cut)[:, :2], run(model, windows)[:, :2])
