"""Corpora of the library datasets: a dataset on the Hugging Face Hub, or the folder of one.

The library downloads or reads a dataset once and keeps it as Arrow files. Their paths and digests are noted in our
cache with the dataset's commit. Later runs read the same files by pyarrow, without the library and without a network.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from sleep_tune.config.schema import DataConfig
from sleep_tune.data.cache import cache_folder, cached_folder, content_key, file_digest, file_state
from sleep_tune.data.documents import SPLITS, Document, Inventory, RawCorpus, collect
from sleep_tune.data.hub import hub_errors, hub_token
from sleep_tune.data.split_names import split_of_name
from sleep_tune.data.table_formats import ARROW, FORMATS, Columns
from sleep_tune.data.tables import choose_columns, describe_columns, describe_rows, read_table
from sleep_tune.data.text_files import read_errors
from sleep_tune.errors import ConfigError, DataError, UserError, listed, shortened, unknown
from sleep_tune.files import expanded, is_file, is_folder, write_whole

__all__ = ["choose_splits", "hf_corpus"]

NOTES = "dataset.json"
"""File in the cache: a `Snapshot`."""

SAVED = ("dataset_dict.json", "state.json")
"""Files at the top of a folder that the library's save_to_disk wrote."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A dataset as the library keeps it."""

    version: Mapping[str, str]
    """What determines its content: 'dataset' and 'commit' of one on the Hub, the digests of the files of a folder."""
    configuration: str
    """'' for a folder written by save_to_disk, which has none."""
    columns: Mapping[str, Mapping[str, bool]]
    """Split -> column -> whether it holds text; no columns of a split without files."""
    files: Mapping[str, Mapping[str, str]]
    """Split -> path of each of its Arrow files, in order -> SHA-256."""


def hf_corpus(data: DataConfig) -> RawCorpus:
    """Return the corpus of a dataset, whose splits are those of `data.splits` or found by their names.

    A dataset on the Hub is downloaded once: later runs have the same commit, even when a branch moves.

    Raises:
        ConfigError: data.dataset is not set; data.configuration or data.splits must be set, or name what there is not.
        DataError: the dataset cannot be downloaded or read, or has no column that is meant.
    """
    name = data.dataset
    if name is None:
        raise ConfigError("data.dataset must be set for data=hf, to an id on the Hub or a folder; it is not set")
    folder = expanded(name)
    in_folder = is_folder(folder)
    if is_file(folder):
        raise ConfigError(f"data.dataset must be an id on the Hub or a folder; got a file: data=text data.path={name}")
    if folder.is_absolute() and not in_folder:
        raise DataError(f"data.dataset must be an id on the Hub or a folder; {folder} does not exist")
    if in_folder and data.revision is not None:
        raise ConfigError(f"data.revision is read for a dataset on the Hub; data.dataset is the folder {folder}")
    snapshot, entry = _find_snapshot(data, folder.resolve() if in_folder else None, name)
    where = f"data.dataset {folder.name if in_folder else name}"
    splits = choose_splits(tuple(snapshot.files), data.splits, where)
    tables = [snapshot.columns[name] for name in splits.values() if snapshot.columns[name]]
    shared = {
        name: all(table[name] for table in tables)
        for name in (tables or [{}])[0]
        if all(name in table for table in tables)
    }
    columns = choose_columns(shared, data.field, data.source_field, where)
    source = (folder.resolve() if in_folder else Path(name)).name
    identity = {
        "kind": "hf",
        **{f"dataset/{name}": value for name, value in snapshot.version.items()},
        "configuration": snapshot.configuration,
        "read as": json.dumps([dict(splits), columns.text, columns.source, source]),
    }
    unused = tuple(split for split in snapshot.files if split not in splits.values())
    inventory = Inventory(
        {split: (f"split '{splits[split]}'",) if split in splits else () for split in SPLITS},
        notes=tuple(_describe(snapshot, folder if in_folder else None, columns, unused)),
    )

    def stream(warnings: list[str]) -> Iterator[tuple[str, Document]]:
        return _stream(snapshot, entry, splits, columns, source, warnings)

    return RawCorpus(identity, lambda: collect(stream), inventory, stream)


def choose_splits(available: Sequence[str], wanted: Mapping[str, str | None], where: str) -> dict[str, str]:
    """Return the split of the dataset that becomes train, dev and test; dev and test may be missing.

    Splits that `wanted` leaves open are those whose names say so (train, validation, test, ...). A single split that no
    name assigns is train.

    Args:
        available: splits of the dataset.
        wanted: data.splits.
        where: the dataset, for messages.

    Raises:
        ConfigError: `wanted` names a split that there is not, or one twice.
        DataError: it is not clear which split is meant.
    """
    chosen = {split: name for split, name in wanted.items() if name is not None}
    for split, name in chosen.items():
        if name not in available:
            raise ConfigError(f"{where}: {unknown(f'data.splits.{split}', name, available)}")
    if len(set(chosen.values())) < len(chosen):
        raise ConfigError(f"{where}: data.splits must name each split once; got {listed(list(chosen.values()))}")
    left = [name for name in available if name not in chosen.values()]
    for split in SPLITS:
        named = [name for name in left if split_of_name(name) == split]
        if split in wanted or not named:
            continue
        if len(named) > 1:
            raise DataError(f"{where}: data.splits.{split} must be set; it may be any of {listed(named)}")
        (chosen[split],) = named
    unnamed = [name for name in left if split_of_name(name) is None]
    if "train" not in chosen and len(unnamed) == 1:
        (chosen["train"],) = unnamed
    if "train" not in chosen:
        raise DataError(f"{where}: data.splits.train must be set to the split to train on: {listed(available, 10)}")
    return {split: chosen[split] for split in SPLITS if split in chosen}


def _find_snapshot(data: DataConfig, folder: Path | None, name: str) -> tuple[Snapshot, Path]:
    """Return the dataset and its folder in our cache; the library loads it first if it was not loaded before.

    Args:
        data: names revision and configuration.
        folder: of the dataset; None for one on the Hub.
        name: its id on the Hub.

    Raises:
        DataError: it cannot be loaded.
    """
    asked: dict[str, Any] = {"configuration": data.configuration}
    if folder is None:
        asked |= {"dataset": name, "revision": data.revision}
    else:
        asked |= {"folder": str(folder), "files": _digest_files(folder)}

    def load(entry: Path) -> None:
        snapshot = _load_folder(folder, data) if folder is not None else _download(name, data)
        write_whole(entry / NOTES, json.dumps(asdict(snapshot)))

    entry = cached_folder(cache_folder(data.cache_dir), "dataset-" + content_key(asked), load)
    return Snapshot(**json.loads((entry / NOTES).read_text(encoding="utf-8"))), entry


def _digest_files(folder: Path) -> dict[str, str]:
    """Return the digest of every file below a folder that is not hidden, by path."""
    with read_errors(folder):
        return {
            path.relative_to(folder).as_posix(): file_digest(path)
            for path in sorted(folder.rglob("*"))
            if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        }


def _load_folder(folder: Path, data: DataConfig) -> Snapshot:
    """Return the dataset of a folder: written by save_to_disk, or of files that the library reads.

    Raises:
        ConfigError: its configuration must be set, or cannot be.
        DataError: the library cannot read it.
    """
    import datasets

    is_saved = any((folder / name).is_file() for name in SAVED)
    if is_saved and data.configuration is not None:
        raise ConfigError(f"data.configuration must not be set: {folder} was saved without; got {data.configuration}")
    with _dataset_errors(str(folder)):
        if is_saved:
            loaded = datasets.load_from_disk(str(folder), keep_in_memory=False)
            parts = loaded if isinstance(loaded, dict) else {str(loaded.split or "train"): loaded}
            saved = _snapshot(parts, {}, "")
            arrow = {split: json.dumps(list(files.values())) for split, files in saved.files.items()}
            return replace(saved, version=arrow)
        configuration = _configuration(data, str(folder))
        builder = datasets.load_dataset_builder(str(folder), configuration)
        return _snapshot(_build(builder), _digest_files(folder), builder.config.name)


def _download(name: str, data: DataConfig) -> Snapshot:
    """Return a dataset of the Hub; without a network (HF_DATASETS_OFFLINE), the one that the library has kept.

    Raises:
        ConfigError: its configuration must be set, or there is none of this name.
        DataError: it cannot be downloaded or read, or the one that is kept is not of this revision.
    """
    import datasets
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HFValidationError

    if datasets.config.HF_HUB_OFFLINE:
        return _load_kept(name, data)
    token = hub_token()
    with hub_errors(f"dataset '{name}'", "data.dataset"):
        try:
            commit = str(HfApi().dataset_info(name, revision=data.revision, token=token).sha)
        except HFValidationError as error:
            raise DataError(
                f"data.dataset must be a folder or an id on the Hub; got '{shortened(name)}', which is neither"
            ) from error
    with _dataset_errors(f"'{name}'"):
        configuration = _configuration(data, name, revision=commit, token=token)
        builder = datasets.load_dataset_builder(name, configuration, revision=commit, token=token)
        if builder.hash != commit:  # the library turns to what it kept when the Hub does not answer
            raise DataError(
                f"data.dataset: '{name}' at commit {commit} cannot be downloaded from the Hub; try again later"
            )
        return _snapshot(_build(builder), {"dataset": name, "commit": commit}, builder.config.name)


def _load_kept(name: str, data: DataConfig) -> Snapshot:
    """Return a dataset of the Hub that the library has kept from an earlier time.

    Raises:
        DataError: it has none, or one of another revision.
    """
    import datasets

    with _dataset_errors(f"'{name}' (not downloaded, since HF_DATASETS_OFFLINE or HF_HUB_OFFLINE is set)"):
        builder = datasets.load_dataset_builder(name, data.configuration)
        commit = builder.hash
        if data.revision not in (None, commit):
            raise DataError(
                f"data.revision: without a network only commit {commit} of '{name}' is known, which is the latest that "
                f"the library datasets has kept; got {data.revision}: set data.revision={commit}, or use the network "
                "once"
            )
        return _snapshot(_build(builder), {"dataset": name, "commit": commit}, builder.config.name)


def _configuration(data: DataConfig, name: str, **where: str | None) -> str | None:
    """Return the configuration to load.

    Args:
        data: may name it.
        name: of the dataset, or its folder.
        where: revision and token.

    Raises:
        ConfigError: there is no such configuration, or several and none is the default.
    """
    import datasets

    available = datasets.get_dataset_config_names(name, **where)
    if data.configuration is None:
        if len(available) > 1 and datasets.get_dataset_default_config_name(name, **where) is None:
            raise ConfigError(
                f"data.configuration must be set for '{name}', to one of: {listed(available, 20)}; it is not set"
            )
    elif data.configuration not in available:
        raise ConfigError(f"'{name}': {unknown('data.configuration', data.configuration, available)}")
    return data.configuration


def _build(builder: Any) -> dict[str, Any]:
    """Return the dataset by split, after the library has written it as Arrow files."""
    builder.download_and_prepare()
    return dict(builder.as_dataset(in_memory=False))


def _snapshot(parts: Mapping[str, Any], version: Mapping[str, str], configuration: str) -> Snapshot:
    """Return what is noted of a dataset.

    Args:
        parts: split -> datasets.Dataset.
        version: what determines its content.
        configuration: that was loaded.

    Raises:
        DataError: two columns of a split have the same name.
    """
    files = {str(split): _digest_arrow(part) for split, part in parts.items()}
    columns = {
        split: next((FORMATS[ARROW.format].columns(Path(path), ARROW) for path in paths), {})
        for split, paths in files.items()
    }
    return Snapshot(version, configuration, columns, files)


def _digest_arrow(part: Any) -> dict[str, str]:
    """Return the digest of each Arrow file of a split, in order."""
    paths = [Path(file["filename"]).resolve() for file in part.cache_files]
    return {str(path): file_digest(path) for path in paths}


def _stream(
    snapshot: Snapshot, entry: Path, splits: Mapping[str, str], columns: Columns, source: str, warnings: list[str]
) -> Iterator[tuple[str, Document]]:
    """Yield the documents with their splits, and append what is odd about the splits to `warnings`.

    Args:
        snapshot: the dataset.
        entry: its folder in our cache, for messages.
        splits: train, dev or test -> split of the dataset.
        columns: to read.
        source: of the documents, if no column names it.
        warnings: is extended.

    Raises:
        DataError: an Arrow file is not as the library wrote it, a row holds no text that can be read, or a split holds
            no words.
    """
    for split, name in splits.items():
        files = {Path(path): digest for path, digest in snapshot.files[name].items()}
        states = {path: _require_unchanged(path, digest, entry) for path, digest in files.items()}
        counts: Counter[str] = Counter()
        is_empty = True
        for path, digest in files.items():
            for document in read_table(path, ARROW, columns, source, counts):
                is_empty = False
                yield split, document
            _require_unchanged(path, digest, entry, states[path])
        if is_empty:
            raise DataError(f"the {split} text must not be empty; split '{name}' of data.dataset holds no words")
        warnings += [f"split '{name}' {what}" for what in describe_rows(counts)]


def _require_unchanged(path: Path, digest: str, entry: Path, state: tuple[int, ...] | None = None) -> tuple[int, ...]:
    """Check an Arrow file against its digest. It is needed only to make tokens, not by runs that find them made.

    Args:
        path: of the file.
        digest: that the file had.
        entry: the snapshot's folder in our cache, for messages.
        state: that the file had before it was read.

    Returns:
        The file's state (`file_state`).

    Raises:
        DataError: it has changed, or is missing.
    """
    if not path.is_file() or file_digest(path) != digest or state not in (None, file_state(path)):
        wrong = "has changed" if path.is_file() else "is missing"
        raise DataError(
            f"data.dataset: the files that the library datasets has kept must be unchanged; {path} {wrong}: remove "
            f"{entry} and {path.parent} to load the dataset again"
        )
    return file_state(path)


def _describe(snapshot: Snapshot, folder: Path | None, columns: Columns, unused: Sequence[str]) -> Iterator[str]:
    """Yield the dataset with its version, and what is read of it."""
    version = (
        f"folder {folder}" if folder is not None else f"{snapshot.version['dataset']} at {snapshot.version['commit']}"
    )
    configuration = f", configuration '{snapshot.configuration}'" if snapshot.configuration else ""
    yield f"dataset: {version}{configuration}" + (f"; splits not read: {listed(unused)}" if unused else "")
    yield describe_columns(columns)


@contextmanager
def _dataset_errors(what: str) -> Iterator[None]:
    """Turn the errors of the library datasets into one sentence.

    Raises:
        DataError: the dataset cannot be loaded.
    """
    from datasets.exceptions import DatasetsError

    try:
        yield
    except UserError:
        raise
    except Exception as error:  # the library raises errors of many classes: IndexError for an empty dataset
        cause = error.__cause__ if isinstance(error, DatasetsError) and error.__cause__ is not None else error
        line = next((line.strip() for line in str(cause).splitlines() if line.strip()), "no message")
        raise DataError(
            f"data.dataset: the library datasets cannot load {what}: {line} ({type(cause).__name__})"
        ) from error
