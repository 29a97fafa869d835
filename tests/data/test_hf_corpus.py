"""Datasets of the library datasets: folders, and a Hub on this machine that the real client asks."""

import io
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote

import pyarrow
import pyarrow.parquet
import pytest

from sleep_tune.config.schema import DataConfig
from sleep_tune.data.hf_corpus import choose_splits, hf_corpus
from sleep_tune.errors import ConfigError, DataError
from tests.data.test_hub import FakeHub, ask, assert_names
from tests.messages import raises_naming

COMMITS = {name: f"{index}" * 40 for index, name in enumerate(("main", "v1"), 1)}
SCRIPT = """
import json, sys
from sleep_tune.config.schema import DataConfig, TokenizerConfig
from sleep_tune.data.prepare import prepare
from sleep_tune.errors import UserError
for options in json.loads(sys.argv[1]):
    data = DataConfig(kind="hf", max_length=16, cache_dir=sys.argv[2], **({"dataset": "lab/open"} | options))
    try:
        corpus = prepare(data, TokenizerConfig(vocab_size=300))
        about = [corpus.key, corpus.train.num_words, corpus.train.source_names, " ".join(corpus.description)]
    except UserError as error:
        about = [f"{type(error).__name__}: {error}"]
    print(json.dumps([*about, "datasets" in sys.modules]))
"""


def rows(number: int, word: str = "cats") -> list[dict[str, Any]]:
    return [{"text": f"The dog sees {n} {word}.", "genre": f"g{n % 2}", "n": n} for n in range(number)]


def parquet(values: Sequence[dict[str, Any]]) -> bytes:
    stream = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(list(values)), stream)
    return stream.getvalue()


class DatasetHub(FakeHub):
    """Serves a dataset that has a branch and a tag, each with files of its own."""

    branches: dict[str, dict[str, bytes]]

    def do_POST(self) -> None:
        """What is at some paths of a revision."""
        self.requests.append(self.path)
        length = int(self.headers["Content-Length"])
        asked = [part.partition("=")[2] for part in unquote(self.rfile.read(length).decode()).split("&")]
        self.send(200, json.dumps([about for about in self.listing() if about["path"] in asked]).encode(), {})

    def revision(self) -> str:
        """Return the branch that the path of the request names, or its commit does."""
        parts = unquote(self.path.partition("?")[0]).split("/")
        named = {COMMITS[name]: name for name in COMMITS} | {name: name for name in COMMITS}
        return next((named[part] for part in parts if part in named), "none" if "revision" in parts else "main")

    def listing(self) -> list[dict[str, Any]]:
        """Return what the Hub says of each file."""
        return [
            {"type": "file", "path": name, "size": len(content), "oid": COMMITS["main"]}
            for name, content in self.branches[self.revision()].items()
        ]

    def respond(self) -> None:
        """Answer as the Hub would."""
        self.requests.append(self.path)
        revision, name = self.revision(), self.path.partition("?")[0].rpartition("/")[2]
        if "/lab/open" not in self.path:
            self.send(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        elif revision not in self.branches:
            self.send(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
        elif "/resolve/" in self.path:
            content = self.branches[revision].get(name)
            if content is None:
                self.send(404, b"{}", {"X-Error-Code": "EntryNotFound"})
            else:
                self.send(200, content, {"ETag": f'"{hash(content)}"', "X-Repo-Commit": COMMITS[revision]})
        elif "/tree/" in self.path:
            self.send(200, json.dumps(self.listing()).encode(), {})
        else:
            siblings = [{"rfilename": name} for name in self.branches[revision]]
            info = {"id": "lab/open", "sha": COMMITS[revision], "siblings": siblings}
            self.send(200, json.dumps(info).encode(), {})


@contextmanager
def dataset_hub(**branches: dict[str, bytes]) -> Iterator[tuple[str, list[str]]]:
    requests: list[str] = []
    handler = type("Handler", (DatasetHub,), {"requests": requests, "branches": branches})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", requests
    finally:
        server.shutdown()
        server.server_close()


def prepare(endpoint: str, folder: Path, *each: dict[str, Any], offline: bool = False) -> list[list[Any]]:
    """Return, for each of some options, what was prepared or refused, and whether the library was imported by then."""
    environment = {"HF_UPDATE_DOWNLOAD_COUNTS": "0"} | ({"HF_DATASETS_OFFLINE": "1"} if offline else {})
    done = ask(endpoint, json.dumps(each or [{}]), folder, SCRIPT, **environment)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.slow
def test_a_dataset_of_the_hub_is_loaded_once_at_a_commit(tmp_path: Path) -> None:
    main = {"train-00000-of-00001.parquet": parquet(rows(100)), "validation.parquet": parquet(rows(30, "birds"))}
    tag = {"train.jsonl": b"".join(json.dumps(row).encode() + b"\n" for row in rows(80)), "README.md": b"About."}
    tagged = {"revision": "v1", "source_field": "genre"}
    refused: list[tuple[dict[str, Any], list[str]]] = [
        ({"revision": "v2"}, ["lab/open", "revision"]),
        ({"configuration": "large"}, ["data.configuration", "'large'", "default"]),
        ({"splits": {"dev": "valid"}}, ["data.splits.dev", "'valid'", "'validation'"]),
        ({"field": "txt"}, ["data.field", "'txt'", "'text'"]),
        ({"dataset": "lab/none"}, ["'lab/none'", "private"]),
        ({"dataset": "no such/id/x"}, ["data.dataset", "no such/id/x"]),
    ]
    with dataset_hub(main=main, v1=tag) as (endpoint, requests):
        first, second, *others = prepare(endpoint, tmp_path, {}, tagged, *(options for options, _ in refused))
        assert requests
        assert first[1:3] == [475, ["open"]]  # 95 rows of 5 words: 5 of 100 rows became test
        assert_names(first[3], f"lab/open at {COMMITS['main']}", "split 'train'", "split 'validation'")
        assert second[2] == ["g0", "g1"] and COMMITS["v1"] in second[3] and second[0] != first[0]
        for (message, _), (_, parts) in zip(others, refused, strict=True):
            assert_names(message, "Error: ", *parts)
        requests.clear()
        assert prepare(endpoint, tmp_path, {}, tagged) == [[*first[:-1], False], [*second[:-1], False]]
        assert not requests
    gone = "http://127.0.0.1:9"
    again, unreachable = prepare(gone, tmp_path, {}, {"dataset": "lab/other"})
    assert again == [*first[:-1], False]
    assert_names(unreachable[0], "DataError: data.dataset", "'lab/other'")
    fresh = tmp_path / "fresh"  # the library's cache, and a new one of ours
    fresh.mkdir()
    (fresh / "hf").symlink_to(tmp_path / "hf")
    kept, unknown, missing = prepare(
        gone, fresh, tagged | {"revision": COMMITS["v1"]}, tagged, {"dataset": "lab/other"}, offline=True
    )
    assert kept == second
    assert_names(unknown[0], "data.revision", COMMITS["v1"], "v1")
    assert_names(missing[0], "'lab/other'", "HF_DATASETS_OFFLINE")
    for file in (tmp_path / "hf").rglob("*-train.arrow"):
        file.unlink()
    again, (message, _) = prepare(gone, tmp_path, {}, {"field": "genre"})
    assert again == [*first[:-1], False]  # its tokens are in the cache
    assert_names(message, "DataError: data.dataset", "-train.arrow is missing", tmp_path / "cache" / "dataset-")


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hf-cache")
    datasets.disable_progress_bars()


def options(folder: Path, **given: Any) -> DataConfig:
    return DataConfig(kind="hf", dataset=str(folder), cache_dir=str(folder.parent / "cache"), **given)


@pytest.mark.usefixtures("quiet")
def test_a_folder_that_save_to_disk_wrote(tmp_path: Path) -> None:
    import datasets

    parts = {"train": rows(9), "validation": rows(2, "birds"), "extra": rows(1)}
    made = {name: datasets.Dataset.from_list(values) for name, values in parts.items()}
    datasets.DatasetDict(made).save_to_disk(tmp_path / "saved")
    made["train"].select([3, 1]).save_to_disk(tmp_path / "one")
    raw = hf_corpus(options(tmp_path / "saved"))
    splits = raw.read()
    assert (len(splits.train), len(splits.dev), len(splits.test)) == (9, 2, 0)
    assert splits.dev[1].sentences == ("The dog sees 1 birds.",) and splits.dev[1].source == "saved"
    assert "extra" in raw.inventory.notes[0] and raw.inventory.files["dev"] == ("split 'validation'",)
    alone = hf_corpus(options(tmp_path / "one", field="genre", source_field="n")).read()
    assert [(document.source, *document.sentences) for document in alone.train] == [("3", "g1"), ("1", "g1")]
    chosen = hf_corpus(options(tmp_path / "saved", splits={"train": "extra", "dev": None}))
    assert len(chosen.read().train) == 1 and chosen.identity != raw.identity
    with raises_naming(ConfigError, "data.configuration", tmp_path / "saved", "x"):
        hf_corpus(options(tmp_path / "saved", configuration="x"))
    with raises_naming(ConfigError, "data.revision", tmp_path / "saved"):
        hf_corpus(options(tmp_path / "saved", revision="main"))
    datasets.DatasetDict(
        {"train": made["train"], "test": made["extra"].remove_columns("genre").rename_column("n", "number")}
    ).save_to_disk(tmp_path / "mixed")
    assert len(hf_corpus(options(tmp_path / "mixed")).read().test) == 1
    with raises_naming(DataError, "data.field", "'genre'", "text"):
        hf_corpus(options(tmp_path / "mixed", field="genre"))
    assert len(hf_corpus(options(tmp_path / "mixed", field="genre", splits={"test": None})).read().train) == 9
    blank = datasets.Dataset.from_list([{"text": "Words." if n % 2 else None} for n in range(12)])
    blank.save_to_disk(tmp_path / "blank", num_shards=3)
    assert hf_corpus(options(tmp_path / "blank")).read().warnings == ("split 'train' has rows without words: 6 of 12",)
    made["train"].select([]).save_to_disk(tmp_path / "empty")
    with raises_naming(DataError, "data.dataset", tmp_path / "empty"):
        hf_corpus(options(tmp_path / "empty"))
    assert raw.stream is not None
    documents = raw.stream([])
    next(documents)
    (file,) = (tmp_path / "saved" / "train").glob("*.arrow")
    time.sleep(0.02)  # a time of change is as fine as the kernel's ticks
    file.rename(tmp_path / "kept")
    (tmp_path / "kept").rename(file)
    with raises_naming(DataError, "data.dataset", file, "has changed"):
        list(documents)
    (tmp_path / "saved").rename(tmp_path / "moved")
    assert hf_corpus(options(tmp_path / "moved")).read().train[0].sentences == splits.train[0].sentences


@pytest.mark.usefixtures("quiet")
def test_a_folder_of_files_that_the_library_reads(tmp_path: Path) -> None:
    folder = tmp_path / "books"
    (folder / "tiny").mkdir(parents=True)
    (folder / "train.parquet").write_bytes(parquet(rows(9)))
    (folder / "test.parquet").write_bytes(parquet(rows(4)))
    raw = hf_corpus(options(folder))
    assert (len(raw.read().train), len(raw.read().test)) == (9, 4)
    (folder / "test.parquet").write_bytes(parquet(rows(5)))
    other = hf_corpus(options(folder))
    assert len(other.read().test) == 5 and other.identity != raw.identity
    (folder / "tiny" / "a.parquet").write_bytes(parquet(rows(3)))
    (folder / "README.md").write_text(
        "---\nconfigs:\n"
        "- {config_name: all, data_files: train.parquet}\n- {config_name: tiny, data_files: tiny/*}\n---\n"
    )
    with raises_naming(ConfigError, "data.configuration", "all, tiny"):
        hf_corpus(options(folder))
    with raises_naming(ConfigError, "data.configuration", "'tinny'", "'tiny'"):
        hf_corpus(options(folder, configuration="tinny"))
    assert len(hf_corpus(options(folder, configuration="tiny")).read().train) == 3


@pytest.mark.usefixtures("quiet")
def test_folders_that_hold_no_dataset(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    for name in ("x" * 5000, "/" + "x" * 5000):
        with raises_naming(DataError, "data.dataset", name[:40]):
            hf_corpus(DataConfig(kind="hf", dataset=name, cache_dir=str(tmp_path / "cache")))
    with raises_naming(DataError, "data.dataset", folder, "does not exist"):
        hf_corpus(options(folder))
    folder.mkdir()
    with raises_naming(DataError, "data.dataset", folder):
        hf_corpus(options(folder))
    (folder / "a.jsonl").write_text('{"text": "a"}\n{"text": \n')
    with raises_naming(ConfigError, "data.dataset", f"data.path={folder / 'a.jsonl'}"):
        hf_corpus(options(folder / "a.jsonl"))
    with raises_naming(DataError, "data.dataset", folder):
        hf_corpus(options(folder))
    (folder / "a.jsonl").write_text('{"text": " "}\n')
    with raises_naming(DataError, "data.dataset", "train"):
        hf_corpus(options(folder)).read()
    assert not list((tmp_path / "cache").glob(".*"))


def test_splits_are_found_by_their_names_or_given() -> None:
    def chosen(*available: str, **wanted: str | None) -> dict[str, str]:
        return choose_splits(available, wanted, "lab/open")

    assert chosen("test", "train", "validation") == {"train": "train", "dev": "validation", "test": "test"}
    assert chosen("train", "unsupervised") == {"train": "train"}
    assert chosen("all") == {"train": "all"}
    assert chosen("all", "test") == {"train": "all", "test": "test"}
    assert chosen("train", "test", test=None) == {"train": "train"}
    assert chosen("train_10M", "train_100M", "dev", train="train_10M") == {"train": "train_10M", "dev": "dev"}
    assert chosen("train", "test", "dev", dev="test") == {"train": "train", "dev": "test"}
    with raises_naming(DataError, "data.splits.train", "train_10M", "train_100M"):
        chosen("train_10M", "train_100M")
    with raises_naming(DataError, "data.splits.train", "a, b"):
        chosen("a", "b")
    with raises_naming(DataError, "data.splits.train", "test"):
        chosen("test")
    with raises_naming(ConfigError, "data.splits.dev", "'vald'", "'valid'"):
        chosen("train", "valid", dev="vald")
    with raises_naming(ConfigError, "data.splits", "train, train"):
        chosen("train", "valid", train="train", dev="train")
