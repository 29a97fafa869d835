"""YAML is read by the rules of YAML 1.2, and refused with file and line where it cannot be read."""

from pathlib import Path

import pytest

from sleep_tune.config.yaml_file import read_yaml
from sleep_tune.errors import ConfigError
from tests.messages import missing


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", {}),
        ("a: 1e-5", {"a": 1e-5}),
        ("a: 1.5e3", {"a": 1500.0}),
        ("a: 5.0e-05", {"a": 5e-5}),
        ("a: .5", {"a": 0.5}),
        ("a: 10", {"a": 10}),
        ("a: yes", {"a": "yes"}),
        ("a: off", {"a": "off"}),
        ("a: true", {"a": True}),
        ("a: null", {"a": None}),
        ("a: 2024-01-01", {"a": "2024-01-01"}),
        ("a: 1:30", {"a": "1:30"}),
        ("a: 010", {"a": 10}),
        ("a: 0x10", {"a": "0x10"}),
        ("a: 1_000", {"a": "1_000"}),
        ("a: ~", {"a": None}),
        ("\ufeffa: 1", {"a": 1}),
        ("a: [0.3, 1e-1]", {"a": [0.3, 0.1]}),
    ],
)
def test_yaml_is_read_as_written(tmp_path: Path, content: str, expected: object) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(content)
    assert read_yaml(file) == expected


@pytest.mark.parametrize(
    ("content", "facts"),
    [
        (b"a: [1", ":1: |flow sequence"),
        (b"a: 1\nb: 2\na: 3", ":3: |'a'|line 1"),
        (b"a: 1\n  b: 2", ":2: |mapping values"),
        (b"a: 1\n\xff\xfe\xfa", ":2: |UTF-8|0xff"),
        (b"a: \x01", ":1: |'\\x01'"),
        (b"- 1", ":1: |mapping|[1]"),
        (b"a: " + b"1" * 5000, ":1: |100 digits"),
        (b"? [1]\n: 2", ":1: |key"),
        (b"a: !!python/object:x {}", ":1: |python/object:x"),
        (b"a: " + b"[" * 5000 + b"]" * 5000, ":1: |too deeply"),
        (b"a: &x [1]\nb: *x", ":2: |alias|*x"),
        (b"a: &x [*x]", ":1: |alias|*x"),
        (b"a: !!float x\nb: 1\nb: 2", "2 mistakes|:1: |'x'|:3: |'b'"),
    ],
)
def test_what_is_not_yaml_is_refused_with_file_and_line(tmp_path: Path, content: bytes, facts: str) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(content)
    with pytest.raises(ConfigError) as raised:
        read_yaml(file)
    assert not missing(raised.value, f"a.yaml|{facts}")
