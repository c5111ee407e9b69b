"""EEGNet: a small convolutional classifier of EEG windows (Lawhern et al. 2018, table 2).

    frames ─▶ filters in time ─▶ filters in space, each filter its own ─▶ pooled
           ─▶ depthwise and pointwise convolution ─▶ pooled ─▶ linear

Departing from the paper, weights have no largest norm: the trainer's weight decay has its place.
Letters as in ``models.classifier``; K filters in time, D in space for each, E pointwise outputs.
"""

from __future__ import annotations

from torch import Tensor, nn

from models.classifier import Classifier, ClassifierSettings


class EegNetSettings(ClassifierSettings, frozen=True):
    """The shape; lengths are in samples, and become whole frames.

    ``pool_samples`` and ``pool_again`` average what elu leaves: rhythms faster than that only count
    by their power. For steady-state responses, whose phase tells, they must be short.
    """

    n_temporal: int = 8
    n_spatial: int = 2
    n_pointwise: int = 16
    kernel_samples: int = 125
    pool_samples: int = 8
    pool_again: int = 8
    dropout: float = 0.25

    @property
    def pool_frames(self) -> int:
        """Frames that the first pool averages."""
        return max(1, self.pool_samples // self.patch_samples)

    @property
    def n_left(self) -> int:
        """Frames behind both pools."""
        return self.n_frames // self.pool_frames // self.pool_again


class EegNet(Classifier):
    """The network; see the module.

    Raises:
        ValueError: a window too short for its pools.
    """

    settings_type = EegNetSettings
    settings: EegNetSettings

    def __init__(self, settings: EegNetSettings) -> None:
        super().__init__(settings)
        s = settings
        kernel = s.kernel_samples // s.patch_samples | 1  # odd: the same before as behind
        if s.n_left < 1:
            raise ValueError(
                f"n_samples: got {s.n_samples}, must be at least pool_samples times pool_again"
            )
        n_both = s.n_temporal * s.n_spatial
        self.layers = nn.Sequential(
            nn.Conv2d(1, s.n_temporal, (kernel, 1), padding="same", bias=False),  # (B, K, F, C)
            nn.BatchNorm2d(s.n_temporal),
            nn.Conv2d(s.n_temporal, n_both, (1, s.n_inputs), groups=s.n_temporal, bias=False),
            nn.BatchNorm2d(n_both),  # (B, K D, F, 1)
            nn.ELU(),
            nn.AvgPool2d((s.pool_frames, 1)),
            nn.Dropout(s.dropout),
            nn.Conv2d(n_both, n_both, (15, 1), padding="same", groups=n_both, bias=False),
            nn.Conv2d(n_both, s.n_pointwise, 1, bias=False),  # (B, E, F / pool, 1)
            nn.BatchNorm2d(s.n_pointwise),
            nn.ELU(),
            nn.AvgPool2d((s.pool_again, 1)),
            nn.Dropout(s.dropout),
            nn.Flatten(),
        )
        self.head = nn.Linear(s.n_pointwise * s.n_left, s.n_symbols)

    def classify(self, frames: Tensor) -> Tensor:
        """Return scores (B, V) of ``frames`` (B, F, C)."""
        scores: Tensor = self.head(self.layers(frames[:, None]))  # (B, V)
        return scores
