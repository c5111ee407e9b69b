"""All that can change a number: filters, reference, windows, normalisation, decoder.

A :class:`PipelineSpec` is trained with the model, so it lives in the bundle's manifest
and never in the host's configuration. Values are checked once, when a manifest is read.
"""

from __future__ import annotations

from typing import Literal

import msgspec


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Frozen settings that refuse unknown keys."""


class Reference(Settings, frozen=True, kw_only=True):
    """What is subtracted from every channel, sample by sample, before the filters.

    ``average`` subtracts the mean of all channels, ``named`` the mean of ``channels``.
    """

    kind: Literal["none", "average", "named"] = "none"
    channels: tuple[str, ...] = ()


Section = tuple[float, float, float, float, float, float]
"""One second-order section ``b0 b1 b2 a0 a1 a2`` with ``a0 = 1``."""


class Band(Settings, frozen=True, kw_only=True):
    """One causal cascade: band-pass (Butterworth) and notches, as designed second-order sections.

    ``sos`` is what runs; the other fields say where it came from and what ``design_band``
    makes it from. ``low_hz`` or ``high_hz`` of ``None`` leaves that edge open. Notches sit at
    ``notch_hz`` and its first ``notch_harmonics - 1`` multiples below half the rate.
    """

    low_hz: float | None = 0.5
    high_hz: float | None = 40.0
    order: int = 4
    notch_hz: float | None = None
    notch_harmonics: int = 1
    notch_q: float = 30.0
    sos: tuple[Section, ...] = ()


class Normalise(Settings, frozen=True, kw_only=True):
    """Causal normalisation of each filtered channel.

    ``running``: minus an exponential mean, over an exponential standard deviation, both with
    time constant ``time_constant_s``, starting from ``initial_scale_uv``; never divides by less
    than ``floor_uv``. ``fixed``: minus ``mean_uv``, over ``scale_uv``, per band and channel
    (band-major). Afterwards values are clipped to ``± clip`` where it is not ``None``.
    """

    kind: Literal["none", "running", "fixed"] = "none"
    time_constant_s: float = 10.0
    initial_scale_uv: float = 10.0
    floor_uv: float = 0.1
    mean_uv: tuple[float, ...] = ()
    scale_uv: tuple[float, ...] = ()
    clip: float | None = None


class SlidingWindow(Settings, frozen=True, kw_only=True, tag="sliding", tag_field="kind"):
    """Every ``hop_samples`` the model sees the newest ``window_samples``.

    A stateful model has ``window_samples == hop_samples``: only new samples. ``lookahead_samples``
    says how far behind the window's end the frames lie that it contributes (``ctc`` only).
    """

    window_samples: int
    hop_samples: int
    lookahead_samples: int = 0

    def samples_until_due(self, n_samples: int) -> int:
        """Return how many samples after the first ``n_samples`` fill the next window."""
        if n_samples < self.window_samples:
            return self.window_samples - n_samples
        return self.hop_samples - (n_samples - self.window_samples) % self.hop_samples


class EventWindow(Settings, frozen=True, kw_only=True, tag="event", tag_field="kind"):
    """A stimulus at ``onset`` opens ``[onset + offset, onset + offset + length)``.

    ``checkpoints_samples``: lengths, ascending, the last one ``length_samples``, at which the model
    gives a score of the samples so far (row k of its output depends on the first
    ``checkpoints_samples[k]`` samples alone; the rest may be zero).
    """

    offset_samples: int
    length_samples: int
    checkpoints_samples: tuple[int, ...]

    def samples_until_due(self, n_samples: int) -> int:
        """Return 1: a stimulus may make any sample the last of its window."""
        return 1


class CtcDecoder(Settings, frozen=True, kw_only=True, tag="ctc", tag_field="head"):
    """Decoder of frames of log-probabilities, blank included.

    ``beam`` 1 without a language model is greedy. ``stability_s``: a symbol is final when all
    surviving beams agree on it and its last frame is older than this. ``endpoint_s``: silence
    (no symbol in the best hypothesis) after which the rest is final. ``prune_logp``: symbols of a
    frame less likely than this are not extended with. ``commit_words``: finals end at whole words
    except at an endpoint. ``lexicon`` finds only words that the bundle's ``lexicon.txt`` spells in
    symbols of the vocabulary; then ``lm_weight``, ``lm_floor`` and ``length_bonus`` are of words.
    """

    method: Literal["greedy", "beam", "lexicon"] = "beam"
    beam: int = 8
    lm_weight: float = 0.0
    length_bonus: float = 0.0
    lm_floor: float = -12.0
    prune_logp: float = -7.0
    stability_s: float = 0.5
    endpoint_s: float = 1.0
    n_best: int = 3
    commit_words: bool = False
    abstain_below: float = 0.0


class Seq2SeqDecoder(Settings, frozen=True, kw_only=True, tag="seq2seq", tag_field="head"):
    """Decoder of overlapping windows, each written out symbol by symbol over its memory.

    Hypotheses are ordered by ``score / ((5 + n_symbols) / 6) ** length_alpha + coverage_beta *
    coverage`` (Wu et al. 2016), n-best lists too: by ``score`` alone no text at all soon beats a
    long one (Stahlberg and Byrne 2019). A window's text has at least ``min_symbols`` and at most
    ``max_symbols`` (None: what the step decoder holds). Greedy knows no language model.
    ``n_agree``: successive hypotheses must share what becomes final; it is final once its attention
    peak lies ``stability_s`` before the window's end. ``endpoint_s``: silence after the last
    attention peak that makes the rest final. ``commit_words``: finals end at whole words except at
    an endpoint.
    """

    method: Literal["greedy", "beam"] = "beam"
    beam: int = 4
    length_alpha: float = 1.0
    coverage_beta: float = 0.0
    n_best: int = 3
    min_symbols: int = 0
    max_symbols: int | None = None
    lm_weight: float = 0.0
    length_bonus: float = 0.0
    lm_floor: float = -12.0
    n_agree: int = 2
    stability_s: float = 0.5
    endpoint_s: float = 1.0
    commit_words: bool = True
    abstain_below: float = 0.0


class SelectionDecoder(Settings, frozen=True, kw_only=True, tag="selection", tag_field="head"):
    """Decoder of one symbol a trial from evidence summed over its stimulus windows.

    ``scores``: ``symbol`` (a score per symbol, as for SSVEP and imagery) or ``stimulus`` (one score
    for the flashed group, as for P300). ``threshold`` above 1 never commits early. ``max_stimuli``
    and ``max_s`` of ``None`` leave the end of evidence to ``trial:end``.
    """

    scores: Literal["symbol", "stimulus"] = "symbol"
    threshold: float = 2.0
    abstain_below: float = 0.0
    max_stimuli: int | None = None
    max_s: float | None = None
    lm_weight: float = 0.0
    lm_floor: float = -12.0
    n_best: int = 3


Window = SlidingWindow | EventWindow
Decoder = CtcDecoder | Seq2SeqDecoder | SelectionDecoder


class PipelineSpec(Settings, frozen=True, kw_only=True):
    """The whole computation from raw microvolts to text, but for the model's weights."""

    rate_hz: float
    channels: tuple[str, ...]
    reference: Reference = Reference()
    bands: tuple[Band, ...] = (Band(),)
    normalise: Normalise = Normalise()
    window: Window
    decoder: Decoder
    vocabulary: tuple[str, ...]
    """Symbols in the order of the model's output.

    The first is ``""`` for the blank of a ``ctc`` head, and for start and end of a ``seq2seq`` one.
    """
    groups: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    """Name of a stimulus group to the symbols it flashes; only for ``scores = "stimulus"``."""
    lm_symbols: dict[str, str] = msgspec.field(default_factory=dict)
    """Symbol to language-model token, where it is not lower case with space as ``<sp>``."""
    markers: dict[str, str] = msgspec.field(default_factory=dict)
    """Foreign marker name to ours, e.g. ``{"flash": "stim:on"}``."""
