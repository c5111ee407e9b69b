"""TOML tables become frozen settings; every problem is told at once, each with its path.

A settings class says in words what each key wants (``Meta(description=…)``), and may refuse
combinations by yielding them from ``problems()``. Nothing here knows any key.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, get_args, get_origin

import msgspec

Hook = Callable[[type, Any], Any]


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Frozen settings that refuse unknown keys."""

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield ``(key, sentence)`` for values that are wrong together."""
        yield from ()


T = TypeVar("T", bound=Table)


def read_table(
    table: object, kind: type[T], *, where: str, hook: Hook
) -> tuple[T | None, list[str]]:
    """Return ``table`` as ``kind``, and every problem in it; the first is None if there is any.

    ``where`` is the table's path, ``""`` for the document. ``hook`` converts what TOML has no
    type for (msgspec's ``dec_hook``).
    """
    if not isinstance(table, dict):
        return None, [f"{where}: got {shown(table)}, wanted a table"]
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    problems = [_unknown(key, fields, where) for key in table if key not in fields]
    values: dict[str, Any] = {}
    for key, field in fields.items():
        path = join(where, key)
        if key in table:
            value, wrong = _read_value(table[key], field.type, path=path, hook=hook)
            values[field.name] = value
            problems += wrong
        elif field.required:
            problems.append(f"{path}: got nothing, wanted {wanted(field.type)}")
    if problems:
        return None, problems
    made = kind(**values)
    problems = [f"{join(where, key)}: {sentence}" for key, sentence in made.problems()]
    return (None if problems else made), problems


def shown(value: object) -> str:
    """Return ``value`` as it may stand in a message: as in TOML, and short."""
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"


def wanted(kind: Any) -> str:
    """Return what a key wants, in words."""
    for part in (kind, *get_args(kind)):
        for meta in getattr(part, "__metadata__", ()):
            if isinstance(meta, msgspec.Meta) and meta.description:
                return meta.description
    return "a table"


def join(where: str, key: str) -> str:
    """Return the path of ``key`` in the table at ``where``."""
    return f"{where}.{key}" if where else key


def _unknown(key: str, known: dict[str, Any], where: str) -> str:
    """Return the problem of a key nobody reads, with the one probably meant."""
    bare = key if re.fullmatch(r"[A-Za-z0-9_-]{1,64}", key) else shown(key)
    near = difflib.get_close_matches(key, known, n=1)
    meant = f"{near[0]} (did you mean that?)" if near else ", ".join(known)
    return f"{join(where, bare)}: got an unknown key, wanted {meant if near else f'one of {meant}'}"


def _read_value(value: object, kind: Any, *, path: str, hook: Hook) -> tuple[Any, list[str]]:
    """Return one key's value converted, and its problems."""
    table = _table_kind(kind)
    if table is None:
        try:
            return msgspec.convert(value, kind, dec_hook=hook), []
        except (msgspec.ValidationError, ValueError, OverflowError):
            return None, [f"{path}: got {shown(value)}, wanted {wanted(kind)}"]
    if get_origin(kind) is not tuple:
        return read_table(value, table, where=path, hook=hook)
    if not isinstance(value, list):
        one, problems = read_table(value, table, where=path, hook=hook)
        return (one,), problems
    several = [
        read_table(row, table, where=f"{path}[{n}]", hook=hook) for n, row in enumerate(value)
    ]
    empty = [] if several else [f"{path}: got none, wanted at least one table"]
    return tuple(row for row, _ in several), [
        p for _, problems in several for p in problems
    ] + empty


def _table_kind(kind: Any) -> type[Table] | None:
    """Return the settings class of ``Table``, ``Table | None`` or ``tuple[Table, ...]``."""
    for part in (kind, *get_args(kind)):
        if isinstance(part, type) and issubclass(part, Table):
            return part
    return None
