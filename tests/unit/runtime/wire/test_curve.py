from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import zmq

from pipeline.errors import ConfigError
from runtime.config import Curve
from runtime.wire.curve import read_keys

if TYPE_CHECKING:
    from pathlib import Path


def files(folder: Path, secret: bytes, clients: bytes, *, mode: int = 0o600) -> Curve:
    curve = Curve(secret_key_file=folder / "secret", clients_file=folder / "clients")
    curve.secret_key_file.write_bytes(secret)
    curve.secret_key_file.chmod(mode)
    curve.clients_file.write_bytes(clients)
    return curve


def test_keys_are_read_one_a_line(tmp_path: Path) -> None:
    (public, secret), (other, _) = zmq.curve_keypair(), zmq.curve_keypair()
    curve = files(tmp_path, b"# ours\n" + secret + b"\n", b"# Ann\n" + public + b"\n\n" + other)
    keys = read_keys(curve, where="publish.curve")
    assert keys.secret == secret
    assert keys.clients == {public, other}


def test_wrong_keys_are_refused(tmp_path: Path) -> None:
    public, secret = zmq.curve_keypair()
    wrong = [
        (files, (secret[:-1], public), "publish.curve.secret_key_file: key 1 is none"),
        (files, (b"", public), "got 0 keys, wanted one"),
        (files, (secret + b"\n" + secret, public), "got 2 keys, wanted one"),
        (files, (secret, b"# nobody"), "clients_file: got no key"),
        (files, (secret, public + b"\n\xff\xfe"), "clients_file: key 2 is none"),
    ]
    for make, (ours, theirs), told in wrong:
        with pytest.raises(ConfigError, match=told):
            read_keys(make(tmp_path, ours, theirs), where="publish.curve")


def test_a_secret_others_may_read_is_refused(tmp_path: Path) -> None:
    public, secret = zmq.curve_keypair()
    with pytest.raises(ConfigError, match="got a file that others may read"):
        read_keys(files(tmp_path, secret, public, mode=0o640), where="publish.curve")


def test_missing_files_are_refused(tmp_path: Path) -> None:
    curve = Curve(secret_key_file=tmp_path / "none", clients_file=tmp_path / "none")
    with pytest.raises(ConfigError, match="No such file"):
        read_keys(curve, where="publish.curve")
