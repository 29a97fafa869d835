"""The table of corpora. Knows only their names."""

from collections.abc import Callable

from sleep_tune.config.schema import DataConfig
from sleep_tune.data.documents import RawCorpus
from sleep_tune.data.text import babylm_corpus, text_corpus
from sleep_tune.data.toy.language import toy_corpus

__all__ = ["CORPORA"]

CORPORA: dict[str, Callable[[DataConfig], RawCorpus]] = {
    "babylm": babylm_corpus,
    "text": text_corpus,
    "toy": toy_corpus,
}
"""Kind -> function of the configuration that finds the text."""
