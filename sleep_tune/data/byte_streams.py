"""Files as streams of bytes, compressed or not, and their bytes as text."""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from sleep_tune.data.formats import find_format
from sleep_tune.errors import DataError

__all__ = ["decode", "decode_line", "open_bytes", "require_unmarked"]

BYTE_ORDER_MARKS = {
    b"\xff\xfe\0\0": "UTF-32",
    b"\0\0\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
"""First bytes of a file in another encoding -> the encoding; longer marks first."""

BUFFER_BYTES = 2**20


@contextmanager
def open_bytes(path: Path, compression: str) -> Iterator[BinaryIO]:
    """Open a file as a stream of its bytes, which are unpacked as they are read.

    Args:
        path: of the file.
        compression: '.gz', '.zst' (any number of frames), or '' for none.

    Raises:
        DataError: while it is read: it is not compressed so, is damaged or incomplete, or cannot be read.
    """
    try:
        if compression == ".gz":
            with gzip.open(path) as unpacked:
                yield cast(BinaryIO, unpacked)
        elif compression == ".zst":
            import pyarrow

            with pyarrow.CompressedInputStream(pyarrow.OSFile(str(path)), "zstd") as frames:
                yield cast(BinaryIO, io.BufferedReader(frames, BUFFER_BYTES))
        else:
            with path.open("rb") as plain:
                yield plain
    except (EOFError, zlib.error) as error:
        raise DataError(f"{path} must be a whole {compression} file; it is damaged or incomplete ({error})") from error
    except OSError as error:
        what = f"must be a whole {compression} file" if compression and error.errno is None else "cannot be read"
        raise DataError(f"{path} {what}: {error.strerror or error}") from error


def require_unmarked(content: bytes, path: Path) -> None:
    """Check that a file does not begin with the mark of another encoding.

    Raises:
        DataError: it does.
    """
    for mark, encoding in BYTE_ORDER_MARKS.items():
        if content.startswith(mark):
            raise DataError(
                f"{path}: the text must be UTF-8; it begins with the byte-order mark of {encoding}. Convert the file "
                f"with iconv -f {encoding} -t UTF-8"
            )


def decode_line(line: bytes, path: Path, number: int) -> str:
    """Return a line's text; of the first line, without a byte-order mark.

    Raises:
        DataError: it is not UTF-8.
    """
    try:
        return line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}:{number}: the text must be UTF-8; got the byte 0x{line[error.start]:02x} at offset "
            f"{error.start:,} of the line. Convert the file, for instance with iconv -f LATIN1 -t UTF-8"
        ) from error


def decode(content: bytes, path: Path) -> str:
    """Return a file's text, without a byte-order mark.

    Args:
        content: of the file.
        path: of the file, for messages.

    Raises:
        DataError: it is not UTF-8 text; the message says what it is, or which line is wrong, and the usual cause.
    """
    found = find_format(content)
    if found is not None:
        what, remedy = found
        raise DataError(f"{path} must hold text; it is {what}: {remedy}, or move it out of the folder")
    require_unmarked(content, path)
    offset = content.find(b"\0")
    if offset >= 0:
        raise DataError(
            f"{path}:{_line(content, offset)}: the text must not hold NUL; got one at offset {offset:,}, as in UTF-16 "
            "without a byte-order mark, or in a file that is not text. Convert it with iconv -f UTF-16LE -t UTF-8, "
            "or move it out of the folder"
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        offset = error.start
        raise DataError(
            f"{path}:{_line(content, offset)}: the text must be UTF-8; got the byte 0x{content[offset]:02x} at offset "
            f"{offset:,}. Convert the file, for instance with iconv -f LATIN1 -t UTF-8"
        ) from error


def _line(content: bytes, offset: int) -> int:
    return content.count(b"\n", 0, offset) + 1
