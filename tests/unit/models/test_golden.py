"""Golden vectors that prove nothing, lie, or are no vectors are refused."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from models.bundle import load_bundle, write_bundle
from models.golden import GOLDEN, check_golden, write_golden
from models.onnx_backend import OnnxModel, open_session
from pipeline.errors import BundleError
from tests.bundles import make_bundle


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_bundle(tmp_path / "b", extra={"README.md": b"tiny"})
    return tmp_path / "b"


def test_golden_vectors_that_do_not_hold_are_refused(folder: Path) -> None:
    bundle = load_bundle(folder)
    model = OnnxModel(open_session(bundle), bundle.manifest.model)
    windows = np.zeros((2, 20, 4), dtype=np.float32)

    def with_golden(data: bytes) -> None:
        write_bundle(folder, bundle.manifest, {**bundle.files, GOLDEN: data})
        check_golden(load_bundle(folder), model)

    with pytest.raises(BundleError, match="off by"):
        with_golden(write_golden(windows, np.zeros((2, 2, 5), dtype=np.float32)))
    with pytest.raises(BundleError, match="off by nan"):
        with_golden(write_golden(windows, np.full((2, 2, 5), np.nan, dtype=np.float32)))
    with pytest.raises(BundleError, match="got shapes"):
        with_golden(write_golden(windows[:, :5], np.zeros((2, 2, 5), dtype=np.float32)))
    with pytest.raises(BundleError, match="unreadable"):
        with_golden(b"nonsense")


@pytest.mark.parametrize(
    "shape", ["(10000000, 20, 4000)", "(99999999999999999999, 20, 4)", "(-1, 20, 4)"]
)
def test_golden_vectors_that_claim_more_than_they_hold_are_refused(
    folder: Path, shape: str
) -> None:
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}".ljust(117) + "\n"
    array = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + bytes(64)
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        file.writestr("windows.npy", array)
        file.writestr("outputs.npy", array)
    bundle = load_bundle(folder)
    model = OnnxModel(open_session(bundle), bundle.manifest.model)
    write_bundle(folder, bundle.manifest, {**bundle.files, GOLDEN: data.getvalue()})
    with pytest.raises(BundleError, match="unreadable"):
        check_golden(load_bundle(folder), model)


def test_golden_vectors_have_a_size(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.golden.MAX_GOLDEN_BYTES", 100)
    bundle = load_bundle(folder)
    with pytest.raises(BundleError, match="bytes unpacked"):
        check_golden(bundle, OnnxModel(open_session(bundle), bundle.manifest.model))
