from sleep_tune import names
from sleep_tune.data.corpora import CORPORA
from sleep_tune.data.masking import MASKINGS
from sleep_tune.data.tokenizer import TOKENIZERS


def test_the_tables_are_what_the_configuration_offers() -> None:
    assert tuple(sorted(CORPORA)) == names.CORPORA
    assert tuple(sorted(MASKINGS)) == names.MASKINGS
    assert tuple(sorted(TOKENIZERS)) == names.TOKENIZERS
