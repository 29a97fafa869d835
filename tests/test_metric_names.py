"""Names of metrics: a variant is split from its plain metric, and back."""

import doctest

import pytest

from sleep_tune import metric_names
from sleep_tune.metric_names import VARIANTS, of_variant, on_test, split_variant


def test_the_examples_of_the_docstrings_hold() -> None:
    assert doctest.testmod(metric_names).failed == 0


@pytest.mark.parametrize("variant", ["", *VARIANTS, "ema/causal"])
@pytest.mark.parametrize("plain", ["eval/nll", "test/pairs/agreement", "babylm/macro", "ties/zorro"])
def test_a_variant_and_its_metric_are_split_as_they_were_joined(variant: str, plain: str) -> None:
    assert split_variant(of_variant(variant, plain)) == (variant, plain)


@pytest.mark.parametrize("metric", ["causal", "ema", "words_seen", "emaeval/nll"])
def test_a_name_without_a_variant_stays_whole(metric: str) -> None:
    assert split_variant(metric) == ("", metric)
    assert on_test(metric) == metric
