from sleep_tune.data.description import describe_text
from sleep_tune.data.documents import Inventory
from sleep_tune.data.overlap import Overlap

WORDS = {"train": 8000, "dev": 800, "test": 421}
CLEAN = Overlap(documents=20, repeated_documents=0, words=421, repeated_words=0, sentences=50, repeated_sentences=2)


def test_files_words_and_what_is_not_read() -> None:
    inventory = Inventory(
        files={"train": ("a.txt", "b.txt", "c.txt", "d.txt", "e.txt"), "dev": ("valid.txt",), "test": ()},
        not_read={"hidden": (".git/", ".DS_Store"), "of type .md": ("README.md",)},
        warnings=("b.txt is odd",),
    )
    assert describe_text(inventory, WORDS, {"test": CLEAN}, ("a.txt is odd",)) == (
        "text: train 8,000 words (a.txt, b.txt, c.txt and 2 more); dev 800 words (valid.txt); "
        "test 421 words (cut from the training files by document)",
        "not read: 2 files or folders, hidden (.git/, .DS_Store); 1 file, of type .md (README.md)",
        "warning: b.txt is odd",
        "warning: a.txt is odd",
    )


def test_a_corpus_without_files_is_described_by_its_words() -> None:
    assert describe_text(Inventory(), WORDS, {"test": CLEAN}, ()) == (
        "text: train 8,000 words; dev 800 words; test 421 words",
    )


def test_text_of_test_in_train_is_a_warning() -> None:
    repeated = Overlap(20, 3, 400, 40, 50, 0)
    (_, warning) = describe_text(Inventory(), WORDS, {"dev": CLEAN, "test": repeated}, ())
    assert warning.startswith("warning: of test, 3 of 20 documents (10.0% of its words) and 0.0% of the sentences")
    recut = Overlap(20, 0, 400, 0, 50, 49)
    (_, warning) = describe_text(Inventory(), WORDS, {"dev": recut, "test": CLEAN}, ())
    assert "of dev, 0 of 20 documents" in warning and "98.0% of the sentences" in warning


def test_a_heading_that_recurs_is_no_warning() -> None:
    heading = Overlap(555, 1, 20_532, 2, 900, 0)
    assert len(describe_text(Inventory(), WORDS, {"test": heading}, ())) == 1


def test_a_split_of_a_few_words_is_a_warning() -> None:
    (_, warning) = describe_text(Inventory(), {"train": 8000, "dev": 9, "test": 421}, {"dev": CLEAN, "test": CLEAN}, ())
    assert warning.startswith("warning: dev has only 9 words")
