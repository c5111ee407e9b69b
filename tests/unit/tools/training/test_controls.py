from __future__ import annotations

import numpy as np
import pytest

from tools.training.controls import phase_randomised


@pytest.mark.parametrize("n_samples", [500, 501])
def test_a_surrogate_has_the_same_spectra_and_coherence_but_another_course(n_samples: int) -> None:
    rng = np.random.default_rng(0)
    samples = np.cumsum(rng.standard_normal((n_samples, 3)), axis=0).astype(np.float32)
    surrogate = phase_randomised(samples, seed=1)
    assert surrogate.shape == samples.shape
    assert surrogate.dtype == np.float32
    before, after = np.fft.rfft(samples, axis=0), np.fft.rfft(surrogate, axis=0)
    np.testing.assert_allclose(np.abs(after), np.abs(before), rtol=1e-3, atol=1e-2)
    cross = before[:, 0] * before[:, 1].conj(), after[:, 0] * after[:, 1].conj()
    np.testing.assert_allclose(cross[1], cross[0], rtol=1e-2, atol=1.0)
    assert abs(np.corrcoef(np.diff(samples[:, 0]), np.diff(surrogate[:, 0]))[0, 1]) < 0.3
