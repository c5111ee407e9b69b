"""What data are known by: the SHA-256 of their files, and of single texts."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING

from pipeline.plain_text import shown
from tools.evaluation.pairs import normalise

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SIMULATED = "simulated"
"""Key of a provenance's data that says that some of it, or all, is no person's EEG."""

DATA = (".eeg", ".dat", ".fdt")
COMPANIONS = (*DATA, ".vmrk")
"""Suffixes of files that hold a part of the recording beside them; some hold its samples."""


def sha256_of(path: Path) -> str:
    """Return the digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def parts_of(recording: Path) -> tuple[Path, ...]:
    """Return the files that a recording is kept in, itself first."""
    beside = (recording.with_suffix(suffix) for suffix in COMPANIONS)
    return (recording, *(part for part in beside if part != recording and part.is_file()))


def digests(files: Iterable[Path]) -> dict[str, str]:
    """Return name and SHA-256 of every file; of folders only what tells names apart."""
    files = list(files)
    names = Counter(file.name for file in files)
    found: dict[str, str] = {}
    for file in files:
        digest = sha256_of(file)
        name = file.name if names[file.name] == 1 else f"{file.parent.name}/{file.name}"
        name = shown(name, is_name=True)
        found[name if name not in found else f"{name} ({digest[:12]})"] = digest
    return found


def told_simulated(names: Iterable[str]) -> dict[str, str]:
    """Return what a provenance says of recordings that are no person's EEG; nothing without any."""
    names = list(names)
    return {SIMULATED: ", ".join(names)} if names else {}


def sample_digests(recording: Path) -> frozenset[str]:
    """Return the digests of those of a recording's files that hold its samples."""
    parts = parts_of(recording)
    holders = [part for part in parts[1:] if part.suffix in DATA] or [recording]
    return frozenset(sha256_of(part) for part in holders)


def text_digest(text: str) -> str:
    """Return what a text is known by, however it is written: 16 digits of its SHA-256."""
    return hashlib.sha256(normalise(text, "basic").encode()).hexdigest()[:16]
