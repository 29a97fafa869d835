"""Every format, as a real file of it begins, and texts that begin nearly so."""

import bz2
import gzip
import io
import json
import lzma
import zipfile

import pytest

from sleep_tune.data.formats import FORMATS, find_format, find_marks

LFS = (
    "version https://git-lfs.github.com/spec/v1\n"
    "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345678\n"
)


def zipped() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("a.txt", "text")
    return made.getvalue()


FILES: dict[str, list[bytes | str]] = {
    "a pointer of Git LFS": [LFS],
    "a pointer of git-annex": [
        "/annex/objects/MD5E-s1234--0cc175b9c0f1b6a831c399e269772661.txt\n",
        "../.git/annex/objects/xx/yy/SHA256E-s9--0cc1/SHA256E-s9--0cc1.txt",
    ],
    "an HTML page": [
        '<!DOCTYPE html>\n<html lang="en"><head><title>403</title>',
        "\n <html>",
        "<!-- saved from\n a page -->\n<HTML>",
        "\ufeff<!doctype HTML>",
    ],
    "XML": ['<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code></Error>'],
    "JSON": [
        json.dumps({"text": "A cat sat."}) + "\n" + json.dumps({"text": 'It said "no".'}),
        json.dumps([{"text": "A cat sat."}], indent=2),
        json.dumps({"error": "Repository not found"}, indent=2),
        "{}",
    ],
    "RTF": [r"{\rtf1\ansi\deff0 Hello.}"],
    "PDF": [b"%PDF-1.4\n%\xe2\xe3\n1 0 obj<<>>endobj"],
    "compressed by gzip": [gzip.compress(b"text")],
    "compressed by bzip2": [bz2.compress(b"text")],
    "compressed by xz": [lzma.compress(b"text")],
    "compressed by zstd": [b"\x28\xb5\x2f\xfd\x04\x00text"],
    "a zip archive or an office document": [zipped()],
}


@pytest.mark.parametrize("what", FORMATS)
def test_a_format_is_named_with_what_to_do(what: str) -> None:
    for file in FILES[what]:
        assert find_format(file if isinstance(file, bytes) else file.encode()) == (what, FORMATS[what][1])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "version two of the tale\n",
        "I looked into .git/annex/objects/ and found nothing.\n",
        "<unk> sat on the mat .\n",
        "<s> A cat </s>\n",
        "{laughs} Well, well: yes.\n",
        '[ "Enter GHOST ]\n',
        '{ "Quoted", he said: no }\n',
        "= Title =\n",
        "*CHI:\tmore juice .\n",
        "PKs and BZh\n",
    ],
)
def test_a_text_that_begins_nearly_so_is_a_text(text: str) -> None:
    assert find_format(text.encode()) is None
    assert list(find_marks(text)) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("id,text,label\n1,A cat sat.,0\n", "table"),
        ("id\ttext\r\n1\tA cat sat.\r\n", "table"),
        ("@UTF8\n@Begin\n*CHI:\tmore juice .\n%mor:\tqn|more n|juice .\n", "CHAT"),
        ("1\n00:00:01,000 --> 00:00:02,000\nHello.\n", "subtitles"),
        ("WEBVTT\n\n00:01.000 --> 00:02.000\nHello.\n", "subtitles"),
        ("Emma\n*** START OF THIS PROJECT GUTENBERG EBOOK EMMA ***\nEmma\n", "Gutenberg"),
        ("\n*** START OF THE PROJECT GUTENBERG EBOOK EMMA ***\n", "Gutenberg"),
    ],
)
def test_what_may_not_be_meant_is_said(text: str, words: str) -> None:
    (mark,) = find_marks(text)
    assert words in mark
