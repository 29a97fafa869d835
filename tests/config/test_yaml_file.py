"""YAML is read as its writer meant it, and refused with file and line where it cannot be."""

from pathlib import Path

import pytest

from sleep_tune.config.yaml_file import read_yaml
from sleep_tune.errors import ConfigError


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
        ("x: &x {b: 1}\na: {<<: *x, c: 2}", {"x": {"b": 1}, "a": {"b": 1, "c": 2}}),
        ("a: [0.3, 1e-1]", {"a": [0.3, 0.1]}),
    ],
)
def test_yaml_is_read_as_written(tmp_path: Path, content: str, expected: object) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(content)
    assert read_yaml(file) == expected


LAUGHS = "\n".join(
    [
        "x0: &x0 [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]",
        *(f"x{at}: &x{at} [{', '.join([f'*x{at - 1}'] * 10)}]" for at in range(1, 10)),
    ]
).encode()
"""Ten lines that stand for ten thousand million values."""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: [1", r"a\.yaml:1 must be YAML"),
        (b"a: 1\nb: 2\na: 3", r"a\.yaml:3 must be YAML; got the key 'a' twice"),
        (b"a: 1\n  b: 2", r"a\.yaml:2 must be YAML"),
        (b"\xff\xfe\xfa", "must be YAML in UTF-8"),
        (b"a: \x01", "must be YAML in UTF-8"),
        (b"- 1", "must hold a mapping of options; got list"),
        (b"a: " + b"1" * 5000, "must hold numbers of a reasonable size"),
        (b"? [1]\n: 2", r"a\.yaml:1 must be YAML"),
        (b"a: !!python/object:x {}", r"a\.yaml:1 must be YAML"),
        (b"a: " + b"[" * 5000 + b"]" * 5000, "must be nested less deeply"),
        (LAUGHS, r"a\.yaml:1 must be YAML; got aliases that stand for more than 100,000 values"),
        (b"a: &x [*x]", "got aliases that stand for more than"),
    ],
)
def test_what_is_not_yaml_is_refused_with_file_and_line(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        read_yaml(file)
