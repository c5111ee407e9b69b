"""What goes on with a training refuses what learns from trials."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from models.bundle import load_bundle
from pipeline.errors import BundleError
from tests.bundles import make_bundle
from tools.compression.pruning.asked import check_writes

if TYPE_CHECKING:
    from pathlib import Path


def test_a_speller_is_refused_and_what_writes_text_is_not(tmp_path: Path) -> None:
    make_bundle(tmp_path / "writes.eegb")
    check_writes(load_bundle(tmp_path / "writes.eegb"), "pruning")
    make_bundle(tmp_path / "selects.eegb", head="selection")
    with pytest.raises(BundleError, match="selects, one window a stimulus, and pruning goes on"):
        check_writes(load_bundle(tmp_path / "selects.eegb"), "pruning")
