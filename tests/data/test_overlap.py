from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.data.documents import Document
from sleep_tune.data.overlap import Overlap
from sleep_tune.data.overlap import count_overlap as count_in_text
from tests.data.stored_text import stored_text

LONG = "one two three four five six seven eight"
SENTENCES = st.sampled_from(["short one", LONG, f"{LONG} nine", "another"])
DOCUMENTS = st.lists(st.builds(lambda texts: Document("a", tuple(texts)), st.lists(SENTENCES, min_size=1, max_size=3)))


def document(*sentences: str, source: str = "a") -> Document:
    return Document(source, sentences)


def count_overlap(train: Sequence[Document], held_out: Sequence[Document]) -> Overlap:
    with stored_text({"train": train, "dev": held_out}) as text:
        return count_in_text(text)["dev"]


def test_documents_and_long_sentences_are_counted() -> None:
    train = [document("short one", LONG, source="b"), document("x y")]
    held_out = [document("short one", LONG), document("short one"), document(LONG, f"{LONG} nine"), document("x y")]
    assert count_overlap(train, held_out) == Overlap(
        documents=4, repeated_documents=2, words=31, repeated_words=12, sentences=3, repeated_sentences=2
    )


def test_a_copy_in_another_case_or_unicode_form_is_a_copy() -> None:
    composed, decomposed = f"caf\u00e9 {LONG}", f"Cafe\u0301 {LONG.upper()}"
    found = count_overlap([document(composed)], [document(decomposed), document("caf\u00e9")])
    assert (found.repeated_documents, found.repeated_sentences) == (1, 1)


@given(DOCUMENTS, DOCUMENTS)
def test_all_of_a_text_is_in_itself_and_more_train_never_repeats_less(
    train: list[Document], held_out: list[Document]
) -> None:
    some, all_of_it = count_overlap(train, held_out), count_overlap([*train, *held_out], held_out)
    assert some.repeated_documents <= all_of_it.repeated_documents == all_of_it.documents == len(held_out)
    assert some.repeated_words <= all_of_it.repeated_words == all_of_it.words
    assert some.repeated_sentences <= all_of_it.repeated_sentences == all_of_it.sentences
