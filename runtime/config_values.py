"""What a value of the configuration may be, and in words what is wanted.

The words are what the user reads when a value is wrong, and what ``schema config`` prints.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

DAY_S = 86_400.0
Seconds = Annotated[
    float, Meta(gt=0, le=DAY_S, description="a number of seconds above 0, at most a day (86400)")
]
Milliseconds = Annotated[
    float, Meta(gt=0, le=60_000, description="a number of milliseconds above 0, at most 60000")
]
ProfileSeconds = Annotated[
    float, Meta(gt=0, le=3600, description="a number of seconds above 0, at most an hour (3600)")
]
Switch = Annotated[bool, Meta(description="true or false")]
Query = Annotated[
    dict[
        Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_/\-]*(?![\s\S])")],
        Annotated[str, Meta(max_length=256)] | int | float,
    ]
    | Annotated[str, Meta(min_length=1, max_length=1024)],
    Meta(
        description="a table of LSL properties such as { type = 'EEG', name = '…' }, "
        "or an XPath predicate"
    ),
]
File = Annotated[Path, Meta(description="the path of a file")]
Folder = Annotated[Path, Meta(description="the path of a folder")]
MarkerName = Annotated[
    str, Meta(min_length=1, max_length=256, description="the text of a marker, not empty")
]
Endpoint = Annotated[
    str,
    Meta(min_length=1, max_length=1024, description="an endpoint, tcp://HOST:PORT or ipc://PATH"),
]
StreamName = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._\-]{0,63}(?![\s\S])",
        description="1 to 64 letters, digits, dots, dashes and underscores, "
        "starting with a letter or digit",
    ),
]
BundleName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=4096,
        description="a bundle: a folder, an .eegb file, or a name in the store",
    ),
]
Digest = Annotated[
    str,
    Meta(
        pattern=r"^[0-9a-f]{64}(?![\s\S])",
        description="the SHA-256 of the bundle's manifest.json, 64 lower-case hex digits",
    ),
]
HistorySeconds = Annotated[
    float,
    Meta(ge=5, le=3600, description="seconds of samples that decoding may fall behind, 5 to 3600"),
]
ChannelMap = Annotated[
    dict[str, str],
    Meta(description="a table from the bundle's channel names to the stream's labels"),
]
Endpoints = Annotated[
    Endpoint | Annotated[tuple[Endpoint, ...], Meta(min_length=1, max_length=16)],
    Meta(description="an endpoint, tcp://HOST:PORT or ipc://PATH, or a list of 1 to 16 of them"),
]
HighWaterMark = Annotated[
    int, Meta(ge=1, le=1_000_000, description="a whole number of messages, 1 to 1000000")
]
Threads = Annotated[int, Meta(ge=1, le=256, description="a whole number of threads, 1 to 256")]
Days = Annotated[
    float, Meta(gt=0, le=36_500, description="a number of days above 0, at most 36500")
]
Format = Annotated[Literal["json", "msgpack"], Meta(description="'json' or 'msgpack'")]
Sync = Annotated[Literal["full", "normal"], Meta(description="'full' or 'normal'")]
LogFormat = Annotated[Literal["console", "json"], Meta(description="'console' or 'json'")]
LogLevel = Annotated[
    Literal["debug", "info", "warning", "error"],
    Meta(description="'debug', 'info', 'warning' or 'error'"),
]
Providers = Annotated[
    Literal["auto", "cpu", "cuda", "tensorrt"],
    Meta(description="'auto', 'cpu', 'cuda' or 'tensorrt'"),
]


def predicate(query: dict[str, str | int | float] | str) -> str:
    """Return the XPath predicate with which liblsl resolves ``query``.

    Raises:
        ValueError: a value has both kinds of quotes, which XPath 1.0 cannot write.
    """
    if isinstance(query, str):
        return query
    terms = []
    for key, value in query.items():
        if not isinstance(value, str):
            terms.append(f"{key}={value}")
        elif "'" not in value:
            terms.append(f"{key}='{value}'")
        elif '"' not in value:
            terms.append(f'{key}="{value}"')
        else:
            raise ValueError(f"got {value!r}, wanted a value with at most one kind of quotes")
    return " and ".join(terms)
