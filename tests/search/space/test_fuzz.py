"""Any file is read as a space, or refused with the user's error."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sleep_tune.errors import ConfigError
from sleep_tune.search.space.search_space import Space
from sleep_tune.search.space.space_file import load_space
from sleep_tune.search.space.space_overrides import SECTIONS
from tests.search.space.broken_spaces import WHOLE

KEYS = st.sampled_from(
    [
        *SECTIONS,
        *("sleep.folds", "sleep.replay.ratio", "sleep.replay.strategy", "training.batch_size", "data", "model"),
        *(
            "choice",
            "uniform",
            "log_uniform",
            "int",
            "step",
            "log",
            "when",
            "trials",
            "hours",
            "seed",
            "epochs",
            "as_epochs",
            "workers",
        ),
    ]
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 100),
    st.integers(),
    st.floats(),
    st.sampled_from(["strict", "random", "toy", "tiny", "auto", "eval/nll", "sleep.folds", "asha", "none"]),
    st.text(max_size=5),
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
DOCUMENTS = st.dictionaries(KEYS, TREES, max_size=6).map(lambda tree: yaml.safe_dump(tree, allow_unicode=True))
TEXTS = st.text(max_size=60) | st.text(alphabet=st.sampled_from("{}[]:,-? &*!|>'\"#%@`\t\n\r ab1.~<="), max_size=60)
DAMAGED = st.builds(
    lambda at, length, text: WHOLE[:at] + text + WHOLE[at + length :],
    st.integers(0, len(WHOLE)),
    st.integers(0, 12),
    st.text(max_size=6),
)

fuzz = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def read(text: str, folder: Path) -> Space | ConfigError:
    path = folder / "study.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        return load_space(path)
    except ConfigError as error:
        return error


@fuzz
@given(text=DOCUMENTS | TEXTS | DAMAGED)
def test_any_text_is_a_space_or_a_report(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    result = read(text, tmp_path_factory.mktemp("x"))
    if isinstance(result, ConfigError):
        assert "study.yaml" in str(result)
        assert all(line.isprintable() for line in str(result).splitlines())


@fuzz
@given(key=KEYS, value=TREES)
def test_any_section_is_a_space_or_a_report(key: str, value: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    """There is a valid parameter beside it, so that the whole file is read."""
    tree = {"parameters": {"sleep.folds": {"int": [2, 5]}}} | {key: value}
    read(yaml.safe_dump(tree, allow_unicode=True), tmp_path_factory.mktemp("x"))
