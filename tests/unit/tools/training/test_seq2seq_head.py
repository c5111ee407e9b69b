from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from pipeline.errors import UsageError
from pipeline.spec import Seq2SeqDecoder, SlidingWindow
from tools.training.head import Heard
from tools.training.heads import head_of
from tools.training.recipe import Recipe, WindowSettings, read_recipe

if TYPE_CHECKING:
    pass

HEARD = Heard(250.0, ("C3", "C4"), ("a", "b"), has_lm=True)
SMALL: dict[str, Any] = {
    "network.n_features": 8, "network.n_units": 8, "network.n_decoder": 8, "network.n_keys": 8,
    "data.n_batch": 4, "decoder.beam": 3, "window.window_s": 3.2,
}  # fmt: skip


def small(**changes: object) -> Recipe:
    return read_recipe("recurrent", SMALL | changes)


def test_hop_and_window_are_the_whole_patches_that_come_closest() -> None:
    recipe = small(**{"window.hop_s": 0.35, "window.window_s": 3.15})
    spec = head_of("recurrent").spec(recipe, HEARD)
    assert spec.window == SlidingWindow(window_samples=780, hop_samples=80)
    assert isinstance(spec.decoder, Seq2SeqDecoder)
    assert spec.decoder.lm_weight > 0.0
    decoder = head_of("recurrent").spec(recipe, replace(HEARD, has_lm=False)).decoder
    assert isinstance(decoder, Seq2SeqDecoder)
    assert (decoder.lm_weight, decoder.length_bonus) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"window.hop_s": 3.2}, "wanted windows that overlap"),
        ({"decoder.prune_logp": -1.0}, "decoder.prune_logp: no such key"),
        ({"learner.guide": 1.0}, "learner.guide: no such key"),
        ({"learner.smoothing": 2.0}, "learner: smoothing: got 2.0"),
        ({"network.n_blocks": 2}, "network.n_blocks: no such key"),
    ],
)
def test_a_recipe_that_cannot_be_followed_is_refused(changes: dict[str, Any], match: str) -> None:
    head = head_of("recurrent")
    recipe = small(**changes)
    with pytest.raises(UsageError, match=match):
        head.spec(recipe, HEARD)
        head.learner(recipe, HEARD)


def test_a_recipe_without_a_window_is_refused() -> None:
    recipe = msgspec.structs.replace(small(), window=WindowSettings(hop_s=0.4))
    with pytest.raises(UsageError, match=r"window\.window_s: got none"):
        head_of("recurrent").spec(recipe, HEARD)
