from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.data.preprocess import preprocess, strip_punctuation


@given(st.text(), st.booleans())
def test_words_are_joined_by_single_spaces(text: str, include_punctuation: bool) -> None:
    result = preprocess(text, include_punctuation=include_punctuation)
    assert result == " ".join(result.split())
    assert preprocess(result, include_punctuation=include_punctuation) == result


@given(st.text())
def test_with_punctuation_no_word_changes(text: str) -> None:
    assert preprocess(text, include_punctuation=True).split() == text.split()


def test_punctuation_goes_and_words_stay_apart() -> None:
    text = "\u201cDon\u2019t,\u201d he said\u2014well-known as he was \u2013 \u201cwait\u2026then: go!\u201d *** $5"
    assert preprocess(text, include_punctuation=False) == "Dont he said wellknown as he was wait then go 5"


@given(st.text(alphabet="abc é"))
def test_text_without_punctuation_stays(text: str) -> None:
    assert strip_punctuation(text) == text


def test_a_sentence_of_punctuation_is_nothing() -> None:
    assert preprocess(" ... — !", include_punctuation=False) == ""
