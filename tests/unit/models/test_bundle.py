from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from models.bundle import load_bundle, write_bundle
from models.golden import GOLDEN, check_golden
from models.onnx_backend import OnnxModel, open_session
from models.onnx_scan import check_onnx
from pipeline.errors import BundleError
from tests.bundles import ctc_model, make_bundle


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_bundle(tmp_path / "b", extra={"README.md": b"tiny"})
    return tmp_path / "b"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundle") / "b.eegb"
    make_bundle(path)
    return path


def edit_manifest(folder: Path, **changes: object) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize("head", ["ctc", "selection"])
@pytest.mark.parametrize("name", ["b", "b.eegb"])
def test_what_is_written_is_read_back_and_runs(tmp_path: Path, head: str, name: str) -> None:
    digest = make_bundle(tmp_path / name, head=head)
    bundle = load_bundle(tmp_path / name, pinned_sha256=digest)
    assert bundle.sha256 == digest
    check_golden(bundle, OnnxModel(open_session(bundle), bundle.manifest.model))
    assert [p.name for p in tmp_path.iterdir()] == [name]  # nothing half-written beside it


def test_the_same_content_is_the_same_file(tmp_path: Path) -> None:
    make_bundle(tmp_path / "1.eegb")
    make_bundle(tmp_path / "2.eegb")
    assert (tmp_path / "1.eegb").read_bytes() == (tmp_path / "2.eegb").read_bytes()


def test_a_bundle_replaces_a_bundle_and_nothing_else(folder: Path) -> None:
    make_bundle(folder)
    load_bundle(folder)
    (folder.parent / "mine").mkdir()
    with pytest.raises(BundleError, match="exists and is no bundle"):
        make_bundle(folder.parent / "mine")


@pytest.mark.parametrize("name", ["model.onnx", "README.md", GOLDEN])
def test_a_flipped_byte_in_any_listed_file_is_found(folder: Path, name: str) -> None:
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(BundleError, match=f"{name}: changed"):
        load_bundle(folder)


def test_a_changed_manifest_is_found_when_it_is_pinned(folder: Path) -> None:
    digest = load_bundle(folder).sha256
    edit_manifest(folder, name="other")
    load_bundle(folder)
    with pytest.raises(BundleError, match="is not the pinned"):
        load_bundle(folder, pinned_sha256=digest)


def test_files_missing_extra_or_of_another_size(folder: Path) -> None:
    (folder / "more.txt").write_text("x")
    with pytest.raises(BundleError, match="more.txt: not listed"):
        load_bundle(folder)
    (folder / "more.txt").unlink()
    (folder / "README.md").write_text("tiny!")
    with pytest.raises(BundleError, match="5 bytes, the manifest says 4"):
        load_bundle(folder)
    (folder / "README.md").unlink()
    with pytest.raises(BundleError, match="README.md: missing"):
        load_bundle(folder)
    with pytest.raises(BundleError, match="no such bundle"):
        load_bundle(folder / "none")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 2}, "format_version 2 needs a newer eegscribe, this one reads up to 1"),
        ({"format_version": "1"}, "format_version: got '1', wanted an integer"),
        ({"format_version": True}, "format_version: got True, wanted an integer"),
        ({"format_version": 0}, "format_version: got 0"),
        ({"extra": 1}, "unknown field `extra`"),
        ({"name": 3}, r"Expected `str`, got `int` - at `\$.name`"),
        ({"pipeline": {}}, "missing required field"),
        ({"files": {}}, "wanted one of the listed files"),
    ],
)
def test_wrong_manifests_are_refused_in_one_sentence(
    folder: Path, change: dict[str, object], message: str
) -> None:
    edit_manifest(folder, **change)
    with pytest.raises(BundleError, match=message) as caught:
        load_bundle(folder)
    assert "\n" not in str(caught.value)


PIPELINE_FAULTS = [
    ("rate_hz", 0.0, "rate_hz"),
    ("rate_hz", 1e300, "rate_hz"),
    ("channels", [], "channels: wanted 1 to 4096 distinct"),
    ("channels", ["Fz", "Fz", "Pz", "Oz"], "distinct"),
    ("channels", ["Fz", "Pz", "Oz"], "model.input.shape"),
    ("bands", [], "bands: got 0"),
    ("bands", [{"sos": [[1, 0, 0, 1, -3, 1]]}], "stable"),
    ("bands", [{"sos": [[1, 0, 0, 2, 0, 0]]}], "a0 = 1"),
    ("vocabulary", ["a", "b", "c", "d", "e"], "wanted the blank"),
    ("vocabulary", ["", "b"], "model.output.shape"),
    ("window", {"kind": "sliding", "window_samples": 20, "hop_samples": 0}, "hop_samples"),
    ("window", {"kind": "sliding", "window_samples": 20, "hop_samples": 10}, "stateful"),
    ("window", {"kind": "sliding", "window_samples": 30, "hop_samples": 30}, "model.input.shape"),
    ("window", {"kind": "nonsense"}, "nonsense"),
    ("decoder", {"head": "selection"}, "vocabulary: got .., wanted symbols"),
    ("reference", {"kind": "named", "channels": ["T7"]}, "reference.channels"),
    ("normalise", {"kind": "running", "floor_uv": 0.0}, "positive"),
    ("normalise", {"kind": "fixed"}, "wanted 4 means"),
]


@pytest.mark.parametrize(("key", "value", "message"), PIPELINE_FAULTS)
def test_pipelines_that_make_no_sense_are_refused(
    folder: Path, key: str, value: object, message: str
) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    edit_manifest(folder, pipeline={**manifest["pipeline"], key: value})
    with pytest.raises(BundleError, match=message):
        load_bundle(folder)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"name": "\x1b[2J"}, "$.name"),
        ({"created": "\x1b]0;x\x07"}, "$.created"),
        ({"provenance": {"command": "c", "data": {"a\u202eb": ""}}}, "$.provenance.data"),
        ({"network": {"family": "f", "settings": {"a": ["\x9b"]}}}, "$.network.settings.a[0]"),
        ({"\x1b": 1}, "$"),
    ],
)
def test_a_manifest_that_would_steer_a_terminal_is_refused(
    folder: Path, change: dict[str, object], where: str
) -> None:
    edit_manifest(folder, **change)
    with pytest.raises(BundleError, match="control characters") as caught:
        load_bundle(folder)
    assert str(caught.value).endswith(f"`{where}`")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("manifest", [b"[" * 10**6, b'{"a":' * 10**5])
def test_a_manifest_of_great_depth_is_refused(folder: Path, manifest: bytes) -> None:
    (folder / "manifest.json").write_bytes(manifest)
    with pytest.raises(BundleError, match="not JSON"):
        load_bundle(folder)


def test_what_is_no_plain_file_is_never_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.eegb")
    for path in (tmp_path / "pipe.eegb", Path("/dev/zero")):
        with pytest.raises(BundleError, match="not a plain file"):
            load_bundle(path)


def test_links_are_refused(folder: Path) -> None:
    (folder / "README.md").unlink()
    (folder / "README.md").symlink_to("/etc/hostname")
    with pytest.raises(BundleError, match="is a link"):
        load_bundle(folder)


@pytest.mark.parametrize(
    "name", ["../evil", "/evil", "a/../../evil", "a\\evil", "./evil", "c:evil", "a\x1b[2J", "a\nb"]
)
def test_names_that_lead_outside_are_refused(tmp_path: Path, archive: Path, name: str) -> None:
    path = tmp_path / "evil.eegb"
    path.write_bytes(archive.read_bytes())
    with zipfile.ZipFile(path, "a") as file:
        file.writestr(zipfile.ZipInfo(name), b"x")
    with pytest.raises(BundleError, match="is not allowed"):
        load_bundle(path)


def test_archives_with_links_doubles_or_too_many_files(tmp_path: Path, archive: Path) -> None:
    def variant(name: str, add: list[tuple[zipfile.ZipInfo, bytes]]) -> Path:
        path = tmp_path / name
        path.write_bytes(archive.read_bytes())
        with zipfile.ZipFile(path, "a") as file:
            for info, data in add:
                file.writestr(info, data)
        return path

    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    with pytest.raises(BundleError, match="link: is a link"):
        load_bundle(variant("link.eegb", [(link, b"/etc/hostname")]))
    with pytest.warns(UserWarning, match="Duplicate name"):
        double = variant("double.eegb", [(zipfile.ZipInfo("model.onnx"), b"x")])
    with pytest.raises(BundleError, match="model.onnx: twice"):
        load_bundle(double)
    many = [(zipfile.ZipInfo(f"f{k}"), b"") for k in range(70)]
    with pytest.raises(BundleError, match="over 64 files"):
        load_bundle(variant("many.eegb", many))


def test_an_archive_that_claims_gigabytes_is_refused_before_unpacking(tmp_path: Path) -> None:
    path = tmp_path / "bomb.eegb"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("manifest.json", b"{}")
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<I", 0xFFFFFFF0)
    path.write_bytes(data)
    with pytest.raises(BundleError, match="over 2 GiB"):
        load_bundle(path)


@pytest.mark.parametrize("kind", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damage_in_any_kind_of_compression_is_refused(
    tmp_path: Path, archive: Path, kind: int
) -> None:
    path = tmp_path / "b.eegb"
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(path, "w", kind) as file:
        for info in source.infolist():
            file.writestr(info.filename, source.read(info))
    assert load_bundle(path).sha256 == load_bundle(archive).sha256
    data = bytearray(path.read_bytes())
    for k in range(60, 400, 7):
        data[k] ^= 0x5A
    path.write_bytes(data)
    with pytest.raises(BundleError):
        load_bundle(path)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_mutation_or_truncation_of_an_archive_is_one_of_our_errors(
    archive: Path, tmp_path: Path, data: st.DataObject
) -> None:
    whole = archive.read_bytes()
    digest = load_bundle(archive).sha256
    broken = bytearray(whole)
    if data.draw(st.booleans()):
        broken = broken[: data.draw(st.integers(0, len(whole) - 1))]
    else:
        at = data.draw(st.integers(0, len(whole) - 1))
        broken[at] ^= data.draw(st.integers(1, 255))
    path = tmp_path / "broken.eegb"
    path.write_bytes(broken)
    try:
        bundle = load_bundle(path)
    except BundleError as error:
        assert "\n" not in str(error)
    else:
        assert bundle.sha256 == digest  # a byte of the zip's own that changes no content


def onnx_bytes(*, domain: str = "", external: bool = False) -> bytes:
    weight = helper.make_tensor("w", TensorProto.FLOAT, [1], [1.0])
    if external:
        weight.data_location = TensorProto.EXTERNAL
        entry = weight.external_data.add()
        entry.key, entry.value = "location", "/etc/hostname"
    node = helper.make_node("Add", ["x", "w"], ["y"], domain=domain)
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1]) for n in "xy"]
    graph = helper.make_graph([node], "g", values[:1], values[1:], [weight])
    opsets = [helper.make_opsetid("", 18)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString()


def test_models_that_reach_outside_are_refused() -> None:
    check_onnx(onnx_bytes(), where="m")
    with pytest.raises(BundleError, match="external data"):
        check_onnx(onnx_bytes(external=True), where="m")
    with pytest.raises(BundleError, match="domain 'my.ops'"):
        check_onnx(onnx_bytes(domain="my.ops"), where="m")
    with pytest.raises(BundleError, match="no graph"):
        check_onnx(b"", where="m")
    loop = helper.make_graph([], "inner", [], [], [])
    loop.node.append(helper.make_node("Odd", [], ["z"], domain="hidden.ops"))
    outer = helper.make_node("If", ["c"], ["z"], then_branch=loop, else_branch=loop)
    model = helper.make_model(helper.make_graph([outer], "g", [], [], []))
    with pytest.raises(BundleError, match=r"hidden\.ops"):
        check_onnx(model.SerializeToString(), where="m")


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_any_bytes_are_scanned_or_refused(data: bytes) -> None:
    try:
        check_onnx(data, where="m")
    except BundleError as error:
        assert str(error).startswith("m:")


def test_a_model_that_runtime_refuses_is_one_sentence(folder: Path) -> None:
    bundle = load_bundle(folder)
    files = {**bundle.files, "model.onnx": onnx_bytes()}
    write_bundle(folder, bundle.manifest, files)
    with pytest.raises(BundleError, match="the manifest says"):
        open_session(load_bundle(folder))
    data = ctc_model()[0]
    write_bundle(
        folder, bundle.manifest, {**files, "model.onnx": data.replace(b"MatMul", b"MatMuu")}
    )
    with pytest.raises(BundleError, match="ONNX Runtime refuses it") as caught:
        open_session(load_bundle(folder))
    assert "\n" not in str(caught.value)


def test_a_manifest_has_a_size(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.bundle.MAX_MANIFEST_BYTES", 100)
    with pytest.raises(BundleError, match=r"manifest.json: \d+ bytes, wanted at most"):
        load_bundle(folder)


@pytest.mark.parametrize("name", ["out.eegb", "out"])
def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    """In a process of its own: the limit of a file's size stands in for the disk's."""
    make_bundle(tmp_path / "b.eegb", extra={"more.bin": os.urandom(100_000)})
    (tmp_path / "to").mkdir()
    script = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from models.bundle import copy_bundle\n"
        "from pipeline.errors import BundleError, EegscribeError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "try:\n"
        "    copy_bundle(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "except EegscribeError as error:\n"
        "    print(type(error).__name__, error)\n"
    )
    command = [sys.executable, "-c", script, tmp_path / "b.eegb", tmp_path / "to" / name]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (
        told.stdout == f"EegscribeError {tmp_path}/to/{name}: cannot be written (File too large)\n"
    )
    assert list((tmp_path / "to").iterdir()) == []
