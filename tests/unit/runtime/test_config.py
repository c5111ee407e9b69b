from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from pipeline.errors import ConfigError
from runtime.config import (
    DaemonConfig,
    Stream,
    config_problems,
    read_config,
    sound_streams,
)
from runtime.config_values import predicate

if TYPE_CHECKING:
    from pathlib import Path

STREAM = '[stream]\nname = "bench1"\nbundle = "demo"\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "eegscribe.toml"
    path.write_text(text)
    return path


def read(folder: Path, text: str) -> DaemonConfig:
    return read_config(written(folder, text))


def refused(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(folder, text)
    assert caught.value.exit_code == 78
    assert "\n" not in str(caught.value)
    return str(caught.value)


def toml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


# key, values that are right, values that are wrong (type first, then out of range)
KEYS: list[tuple[str, list[str], list[str]]] = [
    (
        "stream.name",
        ['"a"', '"A-1_b.c"'],
        ["1", '""', '"a b"', '"../x"', '"a\\n"', f'"{"x" * 65}"'],
    ),
    ("stream.bundle", ['"./x.eegb"'], ["true", '""']),
    (
        "stream.lsl",
        ["{ type = 'EEG', channel_count = 8 }", "\"starts-with(name,'B')\""],
        ["4", "{ type = ['EEG'] }", "{ \"a'b\" = 'x' }", '{ name = "a\'b\\"c" }', '""'],
    ),
    ("stream.markers", ["{ type = 'Markers' }"], ["[1]", '{ name = "a\'b\\"c" }']),
    ("stream.bundle_sha256", [f'"{"0f" * 32}"'], ["7", '"abc"', f'"{"0F" * 32}"', f'"{"0" * 65}"']),
    ("stream.resolve_timeout_s", ["5", "0.5"], ['"5"', "0", "-1.0", "nan", "inf", "86401"]),
    ("stream.silent_s", ["1"], ["true", "0", "nan"]),
    ("stream.history_s", ["5"], ['"5"', "4.9", "inf"]),
    ("stream.channels", ["{ Cz = 'EEG 3' }"], ["'Cz'", "{ Cz = 3 }", "{ Cz = 'a', Pz = 'a' }"]),
    ("stream.pause_marker", ['"rest"'], ["1", '""']),
    ("stream.resume_marker", ['"on"'], ["1", '""', '"pause"']),
    (
        "publish.endpoint",
        [
            '"tcp://127.0.0.1:5557"',
            '"tcp://127.9.9.9:1"',
            '"tcp://localhost:*"',
            '"tcp://[::1]:5557"',
            '"ipc:///run/x"',
            '["tcp://127.0.0.1:1", "ipc:///run/x"]',
        ],
        [
            "5557",
            "[]",
            '""',
            '"tcp://0.0.0.0:5557"',
            '"tcp://*:5557"',
            '"tcp://[::]:5557"',
            '"tcp://192.168.1.4:5557"',
            '"tcp://example.org:5557"',
            '"tcp://localhost.example.org:5557"',
            '"tcp://127.1:5557"',
            '"tcp://127.0.0.1:70000"',
            '"tcp://127.0.0.1"',
            '"tcp://127.0.0.1;0.0.0.0:5557"',
            '"udp://127.0.0.1:5557"',
            '"inproc://x"',
            '"ipc://"',
            f'"ipc:///{"x" * 108}"',
            '["tcp://127.0.0.1:1", "tcp://127.0.0.1:1"]',
            '["tcp://127.0.0.1:1", "tcp://0.0.0.0:1"]',
        ],
    ),
    ("publish.every_decode", ["true"], ["1", '"yes"']),
    ("publish.format", ['"msgpack"'], ["1", '"xml"']),
    ("publish.high_water_mark", ["1"], ["1.5", "true", "0", "1000001"]),
    (
        "publish.curve",
        ["{ secret_key_file = 's', clients_file = 'c' }"],
        [
            "'key'",
            "{}",
            "{ secret_key_file = 's' }",
            "{ secret_key_file = '', clients_file = 'c' }",
        ],
    ),
    ("control.endpoint", ['"ipc:///run/e/control"'], ["[]", '"tcp://0.0.0.0:1"', '"x"']),
    ("control.curve", ["{ secret_key_file = 's', clients_file = 'c' }"], ["1"]),
    ("budget.total_ms", ["50", "100.0"], ['"100"', "0", "nan", "60001"]),
    *(
        (f"budget.{stage}_ms", ["5"], ["[5]", "0", "inf", "101"])
        for stage in ("acquire", "filter", "model", "decode", "publish")
    ),
    ("journal.path", ['"j.sqlite"', '"/var/x"'], ["5", '""', '"a\\u0000b"']),
    ("journal.sync", ['"normal"'], ["true", '"off"']),
    ("journal.keep_days", ["1", "0.5"], ['"1"', "0", "-3", "inf"]),
    ("record.directory", ['"rec"'], ["true", '""']),
    ("log.level", ['"debug"'], ["10", '"loud"']),
    ("log.text", ["true"], ["1"]),
    ("log.format", ['"json"'], ["1", '"xml"']),
    ("model.providers", ['"cpu"'], ['["cpu"]', '"tpu"']),
    ("model.threads", ["2"], ["2.0", "true", "0", "257"]),
    ("model.cache", ['"cache"'], ["1", '""']),
    ("watchdog.period_s", ["10"], ['"10"', "0", "nan"]),
    ("profile.at_start", ["true"], ["1", '"yes"']),
    ("profile.seconds", ["0.5", "3600"], ['"1"', "0", "nan", "3601"]),
    ("profile.directory", ['"p"'], ["true", '""']),
]
WRONG = [(key, value) for key, _, values in KEYS for value in values]
RIGHT = [(key, value) for key, values, _ in KEYS for value in values]


def document(key: str, value: str) -> str:
    table, name = key.split(".")
    lines = {"name": '"bench1"', "bundle": '"demo"'}
    if table != "stream":
        return f"{STREAM}[{table}]\n{name} = {value}\n"
    return "[stream]\n" + "".join(f"{k} = {v}\n" for k, v in (lines | {name: value}).items())


def test_every_key_is_in_the_table_of_keys() -> None:
    tables = {field.encode_name: field.type for field in msgspec.structs.fields(DaemonConfig)}
    known = set()
    for name, kind in tables.items():
        table = Stream if name == "stream" else kind
        known |= {f"{name}.{field.encode_name}" for field in msgspec.structs.fields(table)}
    assert known == {key for key, _, _ in KEYS}


@pytest.mark.parametrize(("key", "value"), WRONG)
def test_a_wrong_value_is_refused_with_its_path(tmp_path: Path, key: str, value: str) -> None:
    message = refused(tmp_path, document(key, value))
    assert message.startswith((f"{key}: got ", f"{key}.", "budget.total_ms: got ")), message
    assert "wanted" in message


@pytest.mark.parametrize(("key", "value"), RIGHT)
def test_a_right_value_is_taken(tmp_path: Path, key: str, value: str) -> None:
    read(tmp_path, document(key, value))


@pytest.mark.parametrize("key", [key for key, _, _ in KEYS])
def test_an_unknown_neighbour_is_refused(tmp_path: Path, key: str) -> None:
    table, name = key.split(".")
    text = STREAM if table == "stream" else f"{STREAM}[{table}]\n"
    message = refused(tmp_path, f"{text}{name}x = 1\n")
    assert message.startswith(f"{table}.{name}x: got an unknown key, wanted ")


@pytest.mark.parametrize("table", ["publish", "control", "budget", "journal", "stream"])
def test_a_table_that_is_none_is_refused(tmp_path: Path, table: str) -> None:
    text = f"{table} = 5\n" + ("" if table == "stream" else STREAM)
    assert refused(tmp_path, text) == f"{table}: got 5, wanted a table"


def test_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/eegscribe/a:/var/lib/other")
    monkeypatch.setenv("RUNTIME_DIRECTORY", "/run/eegscribe")
    monkeypatch.setenv("CACHE_DIRECTORY", "/var/cache/eegscribe")
    config = read(tmp_path, STREAM)
    assert config.streams[0].lsl == {"type": "EEG"}
    assert config.publish.endpoints == ("tcp://127.0.0.1:5557",)
    assert config.control.endpoint == "ipc:///run/eegscribe/control"
    assert str(config.journal.path) == "/var/lib/eegscribe/a/journal.sqlite"
    assert str(config.model.cache) == "/var/cache/eegscribe"
    assert config.record.directory is None
    assert str(config.profile.directory) == "/var/lib/eegscribe/a/profiles"
    assert not config.log.text
    stages = ("acquire", "filter", "model", "decode", "publish")
    assert [config.budget.stage_ms(stage) for stage in stages] == [2, 10, 50, 20, 5]


def test_a_smaller_budget_shrinks_the_stages_not_given(tmp_path: Path) -> None:
    budget = read(tmp_path, f"{STREAM}[budget]\ntotal_ms = 50\nmodel_ms = 30\n").budget
    assert budget.stage_ms("model") == 30
    assert budget.by_stage() == {
        "transport": 1,
        "filter": 5,
        "model": 30,
        "decode": 10,
        "publish": 2.5,
        "total": 50,
    }
    assert budget.stage_ms("filter") == 5


def test_several_streams_need_names_of_their_own(tmp_path: Path) -> None:
    one = '[[stream]]\nname = "a"\nbundle = "demo"\n'
    two = one.replace('"a"', '"b"')
    assert [stream.name for stream in read(tmp_path, one + two).streams] == ["a", "b"]
    assert refused(tmp_path, one + one) == (
        "stream.name: got 'a' 2 times, wanted each stream's name once"
    )
    wrong = refused(tmp_path, one + two + "silent_s = 0\n")
    assert wrong.startswith("stream[1].silent_s: got 0, wanted ")


def test_paths_start_at_the_folder_of_the_file(tmp_path: Path) -> None:
    text = STREAM.replace('"demo"', '"models/a"') + (
        '[journal]\npath = "j.sqlite"\n[control]\nendpoint = "ipc://c"\n'
    )
    config = read(tmp_path, text)
    assert config.journal.path == tmp_path / "j.sqlite"
    assert config.streams[0].bundle == str(tmp_path / "models/a")
    assert config.control.endpoint == f"ipc://{tmp_path}/c"


def test_a_bundle_without_a_path_is_a_name_in_the_store(tmp_path: Path) -> None:
    assert read(tmp_path, STREAM).streams[0].bundle == "demo"
    (tmp_path / "demo").mkdir()
    assert read(tmp_path, STREAM).streams[0].bundle == str(tmp_path / "demo")


def test_curve_keys_open_other_addresses(tmp_path: Path) -> None:
    open_ = '[publish]\nendpoint = "tcp://0.0.0.0:5557"\n'
    assert refused(tmp_path, STREAM + open_) == (
        "publish.endpoint: got 'tcp://0.0.0.0:5557' without CURVE keys, wanted loopback or ipc "
        "(to bind elsewhere, set publish.curve)"
    )
    keys = '[publish.curve]\nsecret_key_file = "s"\nclients_file = "c"\n'
    curve = read(tmp_path, STREAM + open_ + keys).publish.curve
    assert curve is not None
    assert curve.secret_key_file == tmp_path / "s"


def test_one_endpoint_for_both_sockets_is_refused(tmp_path: Path) -> None:
    message = refused(tmp_path, f'{STREAM}[control]\nendpoint = "tcp://127.0.0.1:5557"\n')
    assert message.startswith("control.endpoint: got 'tcp://127.0.0.1:5557' twice")


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        '[stream]\nname = "a b"\nsilent_s = 0\n'
        '[publish]\nendpont = 1\nformat = "xml"\n[log]\ntext = 3\n',
    )
    told = [str(problem).split(":")[0] for problem in config_problems(path)]
    assert set(told) == {
        *("stream.name", "stream.silent_s", "stream.bundle"),
        *("publish.endpont", "publish.format", "log.text"),
    }
    assert len(told) == 6
    assert config_problems(written(tmp_path, STREAM)) == []


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"[stream\n", "at line 1, column 8"),
        (b"a = 1\nb = \n", "at line 2"),
        (b"\xff", "no UTF-8 at byte 0"),
        (b"a = " + b"[" * 100_000, "nested too deeply"),
        (b"a = " + b"1" * 5000, "4300 digits"),
        (b"#" * (1 << 20) + b"##", "more than 1048576 bytes"),
        (b"", "stream: got nothing, wanted "),
    ],
)
def test_a_file_that_is_no_configuration_is_refused(tmp_path: Path, raw: bytes, told: str) -> None:
    path = tmp_path / "eegscribe.toml"
    path.write_bytes(raw)
    with pytest.raises(ConfigError, match="wanted") as caught:
        read_config(path)
    assert told in str(caught.value)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_config(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="Is a directory"):
        read_config(tmp_path)


def test_predicate_quotes_what_needs_it() -> None:
    assert predicate({"type": "EEG", "channel_count": 8}) == "type='EEG' and channel_count=8"
    assert predicate({"name": "Ann's"}) == 'name="Ann\'s"'
    assert predicate("contains(name,'x')") == "contains(name,'x')"


def test_sound_streams_are_found_beside_broken_tables(tmp_path: Path) -> None:
    rows = '[[stream]]\nname = "a"\nbundle = "./x"\n[[stream]]\nname = "b c"\nbundle = "y"\n'
    path = written(tmp_path, f"{rows}[publish]\nformat = 5\n")
    assert [(stream.name, stream.bundle) for stream in sound_streams(path)] == [
        ("a", str(tmp_path / "x"))
    ]
    assert sound_streams(written(tmp_path, "stream = 5")) == []
    assert sound_streams(written(tmp_path, "[stream")) == []


def test_a_stream_with_wrong_keys_can_still_be_looked_for(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text('[stream]\nname = "s"\nbundle = "/b"\nsilent_s = "x"\nfoo = 1\n')
    assert [(s.name, s.silent_s) for s in sound_streams(path)] == [("s", 2.0)]
    path.write_text('[stream]\nname = 5\nbundle = "/b"\n')
    assert sound_streams(path) == []
