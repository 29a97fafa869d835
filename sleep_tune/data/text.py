"""Corpora of files: files and folders of the user, or a BabyLM dataset from the Hub.

The digests of the files identify a corpus, with the columns that are read of tables. The files are decoded only if
their tokens are not in the cache.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from sleep_tune.babylm.challenge import DATASETS
from sleep_tune.config.schema import DataConfig
from sleep_tune.data.byte_streams import decode, open_bytes
from sleep_tune.data.cache import cache_folder, cached_folder, content_key, file_digest, file_state
from sleep_tune.data.documents import SPLITS, Document, Inventory, RawCorpus, collect
from sleep_tune.data.file_types import TEXT
from sleep_tune.data.formats import LONGEST_BEGINNING, count_odd, describe_odd, find_format, find_marks
from sleep_tune.data.hub import hub_errors, hub_token
from sleep_tune.data.sentences import cut_documents
from sleep_tune.data.split_names import MARKED_SUFFIXES, SPLIT_NAMES
from sleep_tune.data.table_formats import FORMATS, Columns
from sleep_tune.data.tables import choose_columns, describe_columns, describe_rows, read_table
from sleep_tune.data.text_files import TextFile, find_listed_files, find_text_files, read_errors
from sleep_tune.errors import ConfigError, DataError, listed
from sleep_tune.files import expanded, write_whole

__all__ = ["babylm_corpus", "text_corpus"]

PIECE_BYTES = 2**20
"""Bytes of a text file, in whole lines, that are decoded at a time."""


def text_corpus(data: DataConfig) -> RawCorpus:
    """Return the corpus of the files and folders that `data.path` names, divided into splits by their names.

    A dev or test split without a file is cut from the training text later, by document.

    Raises:
        ConfigError: data.path is not set; or data.field or data.source_field is, and no file is a table.
        DataError: a file or folder does not exist, or the files are not one corpus.
    """
    if not data.paths:
        raise ConfigError("data.path must be set for data=text, to a file, a folder or a list of them; it is not set")
    folder, files, inventory = find_listed_files([expanded(path) for path in data.paths], "data.path")
    return _corpus_of(folder, files, inventory, data)


def babylm_corpus(data: DataConfig) -> RawCorpus:
    """Return the corpus of a BabyLM dataset of plain text files on the Hub, which is downloaded once.

    Later runs use the download without asking the Hub again, so that a study does not change when a branch moves, and
    a trial starts without a network. A file whose name contains no split is not read if others are named as training
    text: such a file is left over from making the corpus.

    Raises:
        ConfigError: data.dataset is not set.
        DataError: it cannot be downloaded, or it holds no text files.
    """
    dataset = data.dataset
    if dataset is None:
        raise ConfigError(
            "data.dataset must be set for data=babylm: a dataset id on the Hub, such as "
            f"{' or '.join(DATASETS.values())}; it is not set"
        )
    cache = cache_folder(data.cache_dir)
    key = "hub-" + content_key({"dataset": dataset, "revision": data.revision})
    pointer = cached_folder(cache, key, lambda folder: _download(folder, dataset, data.revision))
    noted = json.loads((pointer / "snapshot.json").read_text(encoding="utf-8"))
    folder = Path(noted["folder"])
    if not folder.is_dir():
        raise DataError(
            f"data.dataset: the download of '{dataset}' is no longer in {folder}: remove {pointer} to download it again"
        )
    for name, digest in noted.get("files", {}).items():
        path = folder / name
        if not path.is_file() or _digest(path) != digest:
            wrong = "has changed" if path.is_file() else "is missing"
            raise DataError(
                f"data.dataset: the download of '{dataset}' must be unchanged; {path} {wrong}: remove {pointer} and "
                f"{path.resolve()} to download it again"
            )
    files, inventory = find_text_files(folder, f"data.dataset '{dataset}'", skip_unnamed=True)
    corpus = _corpus_of(folder, files, inventory, data)
    if left := noted.get("not_downloaded"):
        not_read = {**corpus.inventory.not_read, "not downloaded from the Hub": tuple(left)}
        return replace(corpus, inventory=replace(corpus.inventory, not_read=not_read))
    return corpus


def _download(pointer: Path, dataset: str, revision: str | None) -> None:
    """Download the text files, and write their folder and digests to snapshot.json."""
    from huggingface_hub import list_repo_files, snapshot_download

    suffixes = ["txt", *MARKED_SUFFIXES, *(name for names in SPLIT_NAMES.values() for name in names)]
    patterns = [f"*.{suffix}" for suffix in suffixes]
    token = hub_token()
    with hub_errors(f"dataset '{dataset}'", "data.dataset"):
        folder = snapshot_download(
            dataset, repo_type="dataset", revision=revision, allow_patterns=patterns, token=token
        )
        names = list_repo_files(dataset, repo_type="dataset", revision=revision, token=token)
    files = {
        path.relative_to(folder).as_posix(): file_digest(path)
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file()
    }
    left = sorted(set(names) - set(files))
    noted = {"folder": folder, "dataset": dataset, "revision": revision, "files": files, "not_downloaded": left}
    write_whole(pointer / "snapshot.json", json.dumps(noted))


def _corpus_of(folder: Path, files: Sequence[TextFile], inventory: Inventory, data: DataConfig) -> RawCorpus:
    """Return the corpus of files below `folder`, identified by their contents, splits and sources, and the columns.

    Raises:
        ConfigError: data.field or data.source_field is set, and no file is a table.
        DataError: a file cannot be read, or has no column that is meant.
    """
    digests = [_digest(file.path) for file in files]
    columns = [None if file.type.format == TEXT else _columns_of(file, data) for file in files]
    identity = {"kind": "text"}
    for index, (file, digest, chosen) in enumerate(zip(files, digests, columns, strict=True)):
        name = f"{file.split}/{file.source}/{index}"
        identity[name] = digest
        if file.type.name != TEXT:
            identity[f"{name}/read as"] = json.dumps(
                [file.type.name, *([chosen.text, chosen.source] if chosen else [])]
            )
    named = {"data.field": data.field, "data.source_field": data.source_field}
    given = {key: value for key, value in named.items() if value is not None}
    if given and not any(columns):
        key, value = next(iter(given.items()))
        raise ConfigError(
            f"{key} names a column of a table, and {listed([file.path for file in files])} hold none; got {value}"
        )
    notes = tuple(_describe_columns(files, columns, folder))
    inventory = replace(inventory, warnings=tuple(_twice(files, digests, folder)), notes=notes)

    def stream(warnings: list[str]) -> Iterator[tuple[str, Document]]:
        return _stream(files, digests, columns, folder, warnings)

    return RawCorpus(identity, lambda: collect(stream), inventory, stream)


def _columns_of(file: TextFile, data: DataConfig) -> Columns:
    """Return the columns to read of a table.

    Raises:
        DataError: it is no table, or it is not clear which column is meant.
    """
    with open_bytes(file.path, file.type.compression) as stream:
        found = find_format(stream.read(LONGEST_BEGINNING))
    if found is not None and not (found[0] == "JSON" and file.type.format == "jsonl"):
        what, remedy = found
        raise DataError(f"{file.path} must hold {file.type.format}; it is {what}: {remedy}")
    available = FORMATS[file.type.format].columns(file.path, file.type)
    return choose_columns(available, data.field, data.source_field, file.path)


def _describe_columns(files: Sequence[TextFile], columns: Sequence[Columns | None], folder: Path) -> Iterator[str]:
    """Yield which column is read as text, and which names the source, of which files."""
    tables: dict[Columns, list[str]] = {}
    for file, chosen in zip(files, columns, strict=True):
        if chosen is not None:
            tables.setdefault(chosen, []).append(file.path.relative_to(folder).as_posix())
    for chosen, names in tables.items():
        yield f"{describe_columns(chosen)} ({listed(names)})"


def _digest(path: Path) -> str:
    """Return the SHA-256 of the content; it is read again only if the file changed, since trials share a corpus.

    Raises:
        DataError: the file cannot be read.
    """
    with read_errors(path):
        return file_digest(path)


def _state(path: Path) -> tuple[int, ...]:
    """Return what tells whether a file has changed (`file_state`).

    Raises:
        DataError: the file is not there.
    """
    with read_errors(path):
        return file_state(path)


def _twice(files: Sequence[TextFile], digests: Sequence[str], folder: Path) -> Iterator[str]:
    """Yield a warning for files that hold the same bytes, all of which are read."""
    alike: dict[str, list[Path]] = {}
    for file, digest in zip(files, digests, strict=True):
        alike.setdefault(digest, []).append(file.path.relative_to(folder))
    for paths in alike.values():
        if len(paths) > 1:
            yield f"{len(paths)} files hold the same bytes, and each of them is read: {listed(paths)}"


def _stream(
    files: Sequence[TextFile],
    digests: Sequence[str],
    columns: Sequence[Columns | None],
    folder: Path,
    warnings: list[str],
) -> Iterator[tuple[str, Document]]:
    """Yield the documents of the files with their splits, and append what is odd about the files to `warnings`.

    Raises:
        DataError: a file cannot be read, is not what its name says, or has changed since its digest was computed; or
            all files of a split are blank.
    """
    found = dict.fromkeys(SPLITS, 0)
    for file, digest, chosen in zip(files, digests, columns, strict=True):
        odd: list[str] = []
        state = _state(file.path)
        documents = _read_text(file, odd) if chosen is None else _read_table(file, chosen, odd)
        for document in documents:
            found[file.split] += 1
            yield file.split, document
        if _state(file.path) != state or _digest(file.path) != digest:
            raise _changed(file.path)
        warnings += [f"{file.path.relative_to(folder)} {what}" for what in odd]
    for split, number in found.items():
        paths = [file.path.relative_to(folder) for file in files if file.split == split]
        if paths and not number:
            raise DataError(
                f"the {split} text must not be empty; {listed(paths)} in {folder} "
                f"hold{'s' * (len(paths) == 1)} only white space"
            )


def _read_text(file: TextFile, odd: list[str]) -> Iterator[Document]:
    """Yield the documents of a file of plain text, and append what is odd about it to `odd`."""
    marks: dict[str, None] = {}
    counts: Counter[str] = Counter()

    def texts() -> Iterator[str]:
        for number, text in enumerate(_decoded(file)):
            marks.update(dict.fromkeys(find_marks(text, is_beginning=number == 0)))
            counts.update(count_odd(text))
            yield text

    is_blank = True
    for document in cut_documents(texts(), file.source):
        is_blank = False
        yield document
    odd += [*(["holds no words"] if is_blank else []), *marks, *describe_odd(counts)]


def _decoded(file: TextFile) -> Iterator[str]:
    """Yield a file's text in pieces of whole lines.

    Raises:
        DataError: it is not UTF-8 text, or cannot be read.
    """
    with open_bytes(file.path, file.type.compression) as stream:
        yield decode(b"".join(stream.readlines(PIECE_BYTES)), file.path)
        while lines := stream.readlines(PIECE_BYTES):
            piece = b"".join(lines)
            try:
                if b"\0" in piece:
                    raise ValueError("NUL")
                text = piece.decode()
            except ValueError:
                text = _decode_whole(file)
            yield text


def _decode_whole(file: TextFile) -> str:
    """Decode a whole file, which says where in it a mistake is."""
    with open_bytes(file.path, file.type.compression) as stream:
        return decode(stream.read(), file.path)


def _read_table(file: TextFile, columns: Columns, odd: list[str]) -> Iterator[Document]:
    """Yield the documents of a table, and append what is odd about its text to `odd`."""
    counts: Counter[str] = Counter()
    yield from read_table(file.path, file.type, columns, file.source, counts)
    odd += describe_rows(counts)


def _changed(path: Path) -> DataError:
    return DataError(f"{path} changed while the corpus was read: run the command again when the file is complete")
