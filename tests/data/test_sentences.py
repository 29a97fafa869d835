import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.data.sentences import cut_documents, split_sentences

TEXT = st.text(alphabet="ab.!? \"”'\n\rAÉ…\u2028\x85\t")


@pytest.mark.parametrize(
    ("line", "sentences"),
    [
        ("He ran. She slept! Why? Who knows…", ["He ran.", "She slept!", "Why?", "Who knows…"]),
        ("“Come in.” “Never!” said Mr. Toad.", ["“Come in.”", "“Never!” said Mr. Toad."]),
        ("Mrs. E. Nesbit wrote it in St. Ives.", ["Mrs. E. Nesbit wrote it in St. Ives."]),
        ("“Why?” he asked. (Nobody knew.) “So.”", ["“Why?” he asked.", "(Nobody knew.)", "“So.”"]),
        ("the dog runs. the cat sleeps.", ["the dog runs. the cat sleeps."]),
        ("It cost 3.50. Élan! Это так. Да", ["It cost 3.50.", "Élan!", "Это так.", "Да"]),
        ("no end at all", ["no end at all"]),
        ("   ", []),
    ],
)
def test_sentences_end_at_marks_before_capitals(line: str, sentences: list[str]) -> None:
    assert split_sentences(line) == sentences


@given(TEXT)
def test_splitting_loses_no_word(text: str) -> None:
    words = [word for document in cut_documents([text], "book") for text in document.sentences for word in text.split()]
    assert words == text.split()


def test_blank_lines_end_documents() -> None:
    documents = list(cut_documents(["one two\nthree\n\n\n", "  \nfour\n"], "book"))
    assert [document.sentences for document in documents] == [("one two",), ("three",), ("four",)]
    long = "word " * 400
    documents = list(cut_documents([f"{long}\n{long}\n\n{long}\n\n"] * 200, "book"))
    assert {len(document.sentences) for document in documents} == {1, 2}


def test_a_book_without_blank_lines_is_cut_at_about_a_thousand_words() -> None:
    documents = list(cut_documents(["word " * 90 + "\n"] * 2000, "book"))
    words = [sum(len(text.split()) for text in document.sentences) for document in documents]
    assert set(words[:-1]) == {1080}
    assert sum(words) == 180_000


def test_a_short_text_is_cut_finer() -> None:
    documents = list(cut_documents(["one two three\n"] * 300, "book"))
    assert 90 <= len(documents) <= 110
