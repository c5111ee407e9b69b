from __future__ import annotations

from typing import TYPE_CHECKING

import pylsl

from runtime.lsl.log import configuration_files, hush_lsl

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_configuration_of_the_host_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(pylsl, "set_config_content", told.append)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("LSLAPICFG", raising=False)
    assert hush_lsl()
    assert told == ["[log]\nlevel = -2\n"]
    (tmp_path / "own.cfg").touch()
    monkeypatch.setenv("LSLAPICFG", str(tmp_path / "own.cfg"))
    assert configuration_files()[0] == tmp_path / "own.cfg"
    assert not hush_lsl()
    monkeypatch.delenv("LSLAPICFG")
    (tmp_path / "lsl_api.cfg").touch()
    assert not hush_lsl()
    assert len(told) == 1
