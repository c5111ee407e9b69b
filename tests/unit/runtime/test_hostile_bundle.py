"""A manifest changed anywhere: a bundle, or one of our errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import BundleError
from pipeline.plain_text import is_plain
from runtime.engine import open_engine
from tests.bundles import make_bundle

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2),
    st.integers(-(10**40), 10**40),
    st.sampled_from([2**31, 2**63, -(2**63), 2**64, 1e308, -1e308, 1e-320, -0.0, 0.5]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["", "..", "\x1b[2J", "a\nb", "\u202e", "x" * 10_000, "ctc", "int8", "event"]),
    st.text(max_size=5),
    st.lists(st.integers(-3, 10**7), max_size=4),
    st.recursive(st.integers(0, 3), lambda inner: st.lists(inner, max_size=2), max_leaves=9),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)
Path_ = tuple[str | int, ...]


def places(found: Any, path: Path_ = ()) -> list[Path_]:
    """Return the path of every value."""
    if not isinstance(found, dict | list):
        return [path]
    inner = found.items() if isinstance(found, dict) else enumerate(found)
    return [path, *(p for key, value in inner for p in places(value, (*path, key)))]


def changed(found: Any, path: Path_, value: object) -> Any:
    """Return ``found`` with a value at a path."""
    if not path:
        return value
    key, *rest = path
    copy = dict(found) if isinstance(found, dict) else list(found)
    copy[key] = changed(copy[key], tuple(rest), value)
    return copy


@pytest.fixture(scope="module", params=["ctc", "selection", "seq2seq"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("hostile") / "b"
    make_bundle(path, head=request.param)
    return path


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_value_in_a_manifest_is_run_or_refused_in_one_sentence(
    folder: Path, data: st.DataObject
) -> None:
    path = folder / "manifest.json"
    whole = path.read_bytes()
    manifest = json.loads(whole)
    for _ in range(data.draw(st.integers(1, 2))):
        manifest = changed(manifest, data.draw(st.sampled_from(places(manifest))), data.draw(ODD))
        if not isinstance(manifest, dict):
            break
    try:
        path.write_text(json.dumps(manifest))
        open_engine(folder).chain()
    except BundleError as error:
        assert is_plain(str(error), is_name=True), str(error)
    finally:
        path.write_bytes(whole)
