from __future__ import annotations

import numpy as np
import pytest

from runtime.paradigm import ALPHABET
from runtime.simulation.synthesis import DEFAULT_SNR_DB, SynthesisSettings, synthesise
from tests.oracle import Oracle, mean_accuracy

RANDOM = "".join(np.random.default_rng(0).choice(list(ALPHABET), 150))


def test_the_default_ratio_is_where_the_oracle_names_93_to_97_percent() -> None:
    accuracy = mean_accuracy(RANDOM, snr_db=DEFAULT_SNR_DB, seeds=range(12))
    assert 0.93 <= accuracy <= 0.97


def test_names_every_character_where_there_is_hardly_any_background() -> None:
    assert mean_accuracy(ALPHABET, snr_db=30.0, seeds=range(1)) == 1.0


def test_without_patterns_it_guesses() -> None:
    accuracy = mean_accuracy(RANDOM, snr_db=-np.inf, seeds=range(4))
    assert accuracy == pytest.approx(1 / len(ALPHABET), abs=0.04)


def test_knowing_the_average_background_helps() -> None:
    white = mean_accuracy(RANDOM, snr_db=DEFAULT_SNR_DB, seeds=range(4), background="white")
    assert white < mean_accuracy(RANDOM, snr_db=DEFAULT_SNR_DB, seeds=range(4))


def test_a_name_does_not_depend_on_amplitude_or_offset() -> None:
    session = synthesise("query", seed=2, settings=SynthesisSettings())
    oracle = Oracle(rate_hz=250.0)
    for character in session.characters:
        samples = session.samples[character.start : character.stop].astype(np.float64)
        name = oracle.name(samples.astype(np.float32))
        assert oracle.name((3.0 * samples).astype(np.float32)) == name
