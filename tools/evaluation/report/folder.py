"""A report's folder, whole at any moment: the old one or the new one, never a mixture.

It is filled beside its place and then takes it in one step. Text that was decoded is health data:
the folder is 0700, its files are 0600.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipeline.errors import EegscribeError, UsageError
from runtime.places import PRIVATE_FILE, PRIVATE_FOLDER
from runtime.whole_file import partial_name
from tools.packaging.output import check_writable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EVALUATION = "evaluation.json"
ROWS = "rows.jsonl"
SWEEP = "sweep.csv"
FILES = frozenset({EVALUATION, ROWS, SWEEP, "report.html"})

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


def check_folder(path: Path) -> None:
    """Refuse a place where no report can go, before hours are spent on one.

    Raises:
        UsageError: it is no folder, or holds what no report holds, or cannot be written.
    """
    if path.exists() and not path.is_dir():
        raise UsageError(f"--out {path}: is a file, wanted a folder")
    if path.is_dir():
        own = FILES | set(map(partial_name, FILES))  # a sweep that was killed leaves such a one
        foreign = sorted({entry.name for entry in path.iterdir()} - own)
        if foreign:
            raise UsageError(
                f"--out {path}: holds {foreign[0]!r}, which is of no report; wanted a new folder,"
                " or one with a report that may be replaced"
            )
    check_writable(path)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder to fill; at the end, unless by an error, it takes the place of ``path``.

    Raises:
        EegscribeError: the disk; what was there before is there still.
    """
    try:
        with _filled(path.resolve()) as folder:
            yield folder
    except OSError as error:
        raise EegscribeError(f"{path}: cannot be written ({error.strerror})") from None


@contextmanager
def _filled(path: Path) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    _clear_dead(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.mkdir(mode=PRIVATE_FOLDER)
    try:
        yield partial
        for file in partial.rglob("*"):
            file.chmod(PRIVATE_FOLDER if file.is_dir() else PRIVATE_FILE)
            _sync(file)
        _sync(partial)
        if path.exists():
            _exchange(partial, path)
        else:
            partial.rename(path)
        _sync(path.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _clear_dead(path: Path) -> None:
    """Remove what runs left behind that were killed."""
    for left in path.parent.glob(f".{path.name}.*.partial"):
        number = left.name.removesuffix(".partial").rpartition(".")[2]
        if number.isdecimal() and not _is_running(int(number)):
            shutil.rmtree(left, ignore_errors=True)


def _is_running(process: int) -> bool:
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _exchange(one: Path, other: Path) -> None:
    """Let two folders change places in one step, where the kernel can; else in two."""
    library = ctypes.CDLL(None, use_errno=True)
    if hasattr(library, "renameat2"):
        names = (os.fsencode(one), os.fsencode(other))
        if not library.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE):
            return
        why = ctypes.get_errno()
        if why not in {errno.ENOSYS, errno.EINVAL, errno.EXDEV}:
            raise OSError(why, os.strerror(why), str(other))
    old = other.with_name(f"{one.name}.old")
    other.rename(old)
    one.rename(other)
    shutil.rmtree(old, ignore_errors=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
