"""The compiled scanner against the careful readers: the same rows, damage, remarks and refusals."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.common import scanned
from connectors.common.strict_json import parse_json
from connectors.files import csv_careful, csv_read, gb18030, jsonl_read
from connectors.files.connector import FilesConnector
from connectors.files.formats import chunks
from connectors.files.options import CsvSource, JsonLines
from connectors.files.skipped import Skipped
from connectors.files.text_file import Text
from connectors.rest import page
from onecard import native
from onecard.base.connections import Connection
from onecard.errors import OnecardError
from onecard.native import json_scan
from onecard.ports.source import Column, ReadRequest

COLUMNS = (
    Column("id", "ID", key=True, type="string"),
    Column("name", "NAME", type="string"),
    Column("sum", "SUM", required=False, type="number"),
    Column("note", "备注", required=False, required_to_read=False, type="string"),
)
VALUES = [
    '"410199194901010014"',
    '"张三"',
    '"𠮷\\u20bb7\\ud842\\udfb7\\n\\/\\""',
    '"\\ud842"',
    '"\\udfb7"',
    '"\\ud842\\u0041"',
    '"\\x41"',
    '"\\u12g4"',
    '"a\tb"',
    '""',
    '"open',
    "null",
    "nul",
    "true",
    "false",
    "0",
    "-0",
    "00",
    "-",
    "+1",
    "12",
    "12.50",
    "-0.0",
    "0.00",
    "100.0",
    ".5",
    "5.",
    "1e0",
    "1.5E+3",
    "1e",
    "1e999999",
    "9" * 70,
    "0." + "0" * 70 + "1",
    "1." + "0" * 58,
    "NaN",
    "Infinity",
    "-Infinity",
    "{}",
    '["x"]',
    '{"ID": 1}',
    "",
]
SOUND = [
    '"410199194901010014"',
    '"张三"',
    '"𠮷\\u20bb7\\ud842\\udfb7\\n"',
    '""',
    "null",
    "0",
    "12.50",
    "-0.0",
]
NAMES = ['"ID"', '"NAME"', '"SUM"', '"备注"', '"\\u0049D"', '"OTHER"', '""', "ID", '"ID']
BLANK = ["", "", "", " ", "\t", " \r", "\x0b", "\x1a", "\ufeff", "\u3000", "\x00"]


def request(options: Any) -> ReadRequest:
    return ReadRequest("a/b", COLUMNS, options, batch_rows=5)


def both(monkeypatch: pytest.MonkeyPatch, read: Callable[[], Any]) -> Any:
    """What a reading gives, or its error, with the scanner and without it: the same."""
    found = []
    for way in ("on", "off"):
        monkeypatch.setenv("ONECARD_NATIVE", way)
        try:
            found.append(read())
        except OnecardError as error:
            found.append((type(error), str(error)))
        except (ValueError, RecursionError):
            found.append("no JSON")
    assert found[0] == found[1]
    return found[0]


@pytest.fixture(autouse=True)
def _built() -> None:
    if native.library() is None:
        pytest.skip(f"needs the compiled library: {native.absence()}")


@st.composite
def objects(draw: Any) -> str:
    """An object: sound, or odd in one value, or odd anywhere."""
    odd = draw(st.sampled_from(["", "", "value", "value", "anywhere"]))
    blank = st.sampled_from(BLANK if odd == "anywhere" else ["", "", " ", "\t "])
    names = list(draw(st.permutations(NAMES[:4])))
    if odd == "anywhere":
        names = draw(st.lists(st.sampled_from(NAMES), max_size=5))
    elif draw(st.booleans()):
        names = [n for n in names if n in NAMES[:2] or draw(st.booleans())]
        names += draw(st.sampled_from([[], [], names[:1]]))
    spoilt = draw(st.integers(0, max(len(names) - 1, 0))) if odd == "value" else -1
    pairs = []
    for place, name in enumerate(names):
        any_value = odd == "anywhere" or place == spoilt
        value = draw(st.sampled_from(VALUES if any_value else SOUND))
        pairs.append(f"{draw(blank)}{name}{draw(blank)}:{draw(blank)}{value}")
    text = ",".join(pairs)
    if odd == "anywhere" and draw(st.booleans()):
        text += draw(st.sampled_from([",", "}", "]", "x"]))
    return "{" + text + "}" + draw(blank)


@st.composite
def texts(draw: Any) -> bytes:
    """Some lines of JSON; now and then a byte of them is another."""
    lines = draw(st.lists(st.one_of(objects(), objects(), st.sampled_from(BLANK)), max_size=8))
    data = bytearray("\n".join([draw(st.sampled_from(["", "\ufeff"])) + x for x in lines]).encode())
    if data and draw(st.integers(0, 3)) == 0:
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data)


def parts_of(data: bytes, path: Path) -> Any:
    path.write_bytes(data)
    file = Text(path, "f")
    found = [
        (dict(zip(("origin", "first"), (c.origin, c.first_row), strict=True)), row, c.damaged)
        for c in chunks(file, JsonLines(kind="jsonl"), request(JsonLines(kind="jsonl")))
        for row in c.batch.to_pylist()
    ]
    return found, file.skipped


@settings(max_examples=200, deadline=timedelta(seconds=5))
@given(data=texts(), size=st.sampled_from([1, 30, 200, 1 << 20]))
def test_json_lines(data: bytes, size: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "f.jsonl"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jsonl_read, "PIECE", size)
        patch.setattr(json_scan, "MOST", 1 + size % 4)
        both(patch, lambda: parts_of(data, path))


@pytest.mark.parametrize("value", VALUES)
def test_one_odd_value_among_sound_rows(
    value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = '{"ID": "1", "NAME": "张", "SUM": 1.50, "备注": null}'
    for name, here in (("ID", '"1"'), ("NAME", '"张"'), ("SUM", "1.50"), ("备注", "null")):
        lines = [sound, sound.replace(f'"{name}": {here}', f'"{name}": {value}'), sound]
        data = "\n".join(lines).encode()
        found, _ = both(monkeypatch, lambda data=data: parts_of(data, tmp_path / "f"))
        assert [row["id"] for _, row, _ in found][::2] == ["1", "1"]


@pytest.mark.parametrize(
    "line",
    [
        '{"ID": "1", "NAME": "a", "ID": "2"}',
        '{"ID": "1", "NAME": "a", "SUM": 1, "SUM": null}',
        '{"ID": "1", "NAME": "a"} {}',
        '{"ID": "1" "NAME": "a"}',
        '{"ID": "1", "NAME": "a",}',
        '{"ID": "1", "NAME" "a"}',
        '{"ID": "1", "NAME": "a"',
        '{"ID": "1", "NAME": "a\x00"}',
        '{"ID": "1", "NAME": "a\x1f"}',
        '{"ID": "1", "NAME": "\x7f"}',
        '{"ID": "1"}',
        '{"NAME": "1", "OTHER": 1}',
        "[]",
        "1",
        "{}",
        "{",
        '{"',
        '{"ID": "\\',
        '{"ID": "\\u12',
    ],
)
def test_one_odd_line_among_sound_rows(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = '{"ID": "1", "NAME": "张"}'
    data = "\n".join([sound, line, sound, line]).encode()
    both(monkeypatch, lambda: parts_of(data, tmp_path / "f"))
    both(monkeypatch, lambda: reply_of(f'{{"data": {{"items": [{sound}, {line}]}}}}'.encode()))


PLACES = [
    '{{"data": {{"items": {0}, "next": "7"}}, "total": 3}}',
    '{{"total": 1, "data": {{"next": null, "other": [{{"items": 1}}, "}}"], "items": {0}}}}}',
    '{{"data": {{"items": {0}, "items": []}}}}',
    '{{"data": 1, "data": {{"items": {0}}}}}',
    '{{"d\\u0061ta": 1, "data": {{"items": {0}}}}}',
    '{{"x": {{"items": {0}}}, "data": {{"items": [{{}}]}}}}',
    '{{"data": {{"items": {0}}}, "bad": nan}}',
    '{{"data": {{"items": {0}}}}} x',
    '{{"data": [{{"items": {0}}}]}}',
    '"data {{ \\" items": {0}',
    "{0}",
]


def reply_of(data: bytes) -> Any:
    asked = request(None)
    reply = page.parsed(data, "data.items", asked)
    found = reply.page()
    if found is None:
        return None
    ((batch, damaged),) = found.parts(asked, "/x")
    rest = json.loads(json.dumps(reply.document, default=repr))
    if isinstance(rest, dict) and isinstance(rest.get("data"), dict):
        rest["data"].pop("items", None)
    texts_of = list(found.texts(COLUMNS[:1]))
    return rest, len(found), batch.to_pylist(), damaged, texts_of, found.records()


def test_a_list_of_many_sparse_objects_is_not_scanned() -> None:
    """Its cells would take many times the memory of the document."""
    columns = tuple(Column(f"c{i}", f"C{i}", required=False) for i in range(100))
    asked = ReadRequest("a/b", columns, None)  # type: ignore[arg-type]
    rows = b",".join([b'{"C0":1}'] * 5)
    assert page.parsed(b'{"d":[' + rows + b"]}", "d", asked).scanned is None
    few = ReadRequest("a/b", columns[:2], None)  # type: ignore[arg-type]
    assert page.parsed(b'{"d":[' + rows + b"]}", "d", few).scanned is not None


@settings(max_examples=200, deadline=timedelta(seconds=5))
@given(
    st.lists(objects(), max_size=4),
    st.sampled_from(PLACES),
    st.sampled_from(["[]", "[ ]", "[{0}]", "[{0},]", " [{0}] ", "[{0}", "{{}}", "null"]),
    st.integers(0, 400),
    st.one_of(st.none(), st.none(), st.integers(0, 255)),
)
def test_pages(items: list[str], around: str, form: str, place: int, byte: int | None) -> None:
    data = bytearray(around.format(form.format(",".join(items))).encode())
    if byte is not None:
        data[place % len(data)] = byte
    with pytest.MonkeyPatch.context() as patch:
        both(patch, lambda: reply_of(bytes(data)))


def test_a_sound_page_is_scanned_and_equal_however_it_is_written() -> None:
    rows = '{"ID": "1", "NAME": "张", "SUM": 1.50}'
    first = page.parsed(f'{{"data": {{"items": [{rows}]}}}}'.encode(), "data.items", request(None))
    again = rows.replace(": ", ":").replace("张", "\\u5f20")
    other = page.parsed(f'{{"data": {{"items": [{again}]}}}}'.encode(), "data.items", request(None))
    odd = rows.replace('"ID"', '"\\u0049D"')
    third = page.parsed(f'{{"data": {{"items": [{odd}]}}}}'.encode(), "data.items", request(None))
    pages = [reply.page() for reply in (first, other, third)]
    assert first.scanned is not None
    assert other.scanned is not None
    assert third.scanned is None
    assert pages[0] == pages[1] == pages[2]
    moved = rows.replace('"1"', '"2"')
    fourth = page.parsed(
        f'{{"data": {{"items": [{moved}]}}}}'.encode(), "data.items", request(None)
    )
    assert pages[0] != fourth.page()
    assert pages[2] != fourth.page()


@pytest.mark.parametrize("names", [("A", "A"), ('A"B',), ("A\\B",), ("A\nB",)])
def test_keys_that_bytes_do_not_tell_are_left_to_the_strict_reader(names: tuple[str, ...]) -> None:
    columns = tuple(Column(f"x{i}", n, type="string") for i, n in enumerate(names))
    asked = ReadRequest("a/b", columns, JsonLines(kind="jsonl"))
    data = json.dumps(dict.fromkeys(names, "v")).encode()
    assert scanned.lines(data, parse_json, asked, "f") is None
    assert scanned.document(b'{"d":[' + data + b"]}", "d", asked) is None


@pytest.mark.parametrize("records", ["$", "data.rows", "rows"])
@pytest.mark.parametrize(
    "document",
    [
        '{"$": [{"ID": "1", "NAME": "a"}], "data": {"rows": []}}',
        '\ufeff{"data": {"rows": [{"ID": "1", "NAME": "a"}, {"ID": "2", "NAME": null}]}}\x1a',
        '\ufeff\ufeff{"rows": [{"ID": "1", "NAME": "a"}]}',
        '{"rows": [{"ID": "1", "NAME": "a"}, {"ID": 1e0, "NAME": ["a"]}], "data": 1}',
        '[{"ID": "1", "NAME": "a"}]',
        '{"rows": [{"ID": "1", "NAME": "a"}]',
    ],
)
def test_documents_in_files(
    document: str, records: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "f.json").write_bytes(document.encode())
    layout = {"kind": "json", "records": records}
    given_ = {"directory": "out", "pattern": "*.json", "format": layout}
    asked = request(FilesConnector.source_options.model_validate(given_))
    folder = Connection(id="c", conn_type="fs", extra={"path": str(tmp_path)})

    def read() -> Any:
        found = list(FilesConnector().read(folder, asked))
        return [(c.origin, c.first_row, c.damaged, c.batch.to_pylist()) for c in found]

    both(monkeypatch, read)


def csv_parts(data: bytes, options: CsvSource) -> Any:
    counted = Skipped()
    records = csv_read._Records(["ID", "NAME"], options, counted)
    parts = list(csv_read._parts(io.BytesIO(data), "f", records))
    rows = [row for batch, _ in parts for row in batch.to_pylist()]
    places, damaged = 0, {}
    for batch, spoilt in parts:
        damaged |= {places + place: rule for place, rule in spoilt.items()}
        places += batch.num_rows
    return rows, damaged, counted


def test_every_code_of_gb18030_is_the_same_character() -> None:
    """All codes of two bytes, all of four bytes in the BMP, each beside good neighbours."""
    two = [bytes((a, b)) for a in range(0x80, 0x100) for b in range(0x20, 0x100) if b != 0x22]
    four = [
        bytes((0x81 + n // 12600, 0x30 + n // 1260 % 10, 0x81 + n // 10 % 126, 0x30 + n % 10))
        for n in range(gb18030.FOUR_IN_BMP + 20)
    ]
    beyond = [b"\x900\x810", b"\x90\x30\x81\x31", b"\xe3\x32\x9a\x35", b"\xe3\x32\x9a\x36"]
    options = CsvSource(kind="csv", encoding="gb18030")
    for codes in (two, four, beyond):
        data = b"".join(code + b",b\n" for code in codes)
        with pytest.MonkeyPatch.context() as patch:
            rows, damaged, _ = both(patch, lambda data=data: csv_parts(data, options))
        assert len(rows) == len(codes)
        assert len(damaged) < len(codes) / 2


MARKS = [
    b",",
    b'"',
    b"\n",
    b"\r\n",
    b"\r",
    b"a",
    b"\xe5\xbc\xa0",
    b"\xd5\xc5",
    b"\xff",
    b'"x"',
    b"ID",
]


@settings(max_examples=200, deadline=timedelta(seconds=5))
@given(
    st.lists(st.one_of(st.sampled_from(MARKS), st.binary(max_size=3)), max_size=60),
    st.sampled_from(["utf-8", "gb18030"]),
    st.sampled_from([",", "|", "\t", " ", "\x01"]),
    st.sampled_from([7, 50, 1 << 20]),
)
def test_hostile_csv(pieces: list[bytes], encoding: Any, delimiter: str, size: int) -> None:
    data = b"".join(pieces).replace(b",", delimiter.encode())
    options = CsvSource(kind="csv", encoding=encoding, delimiter=delimiter)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_read, "PIECE", size)
        patch.setattr(csv_read, "ODD_LINES", csv_careful.LONGEST)
        both(patch, lambda: csv_parts(data, options))


def test_long_cells_and_many_columns() -> None:
    """Sizes around the steps in which texts are copied, at the very end of the data too."""
    options = CsvSource(kind="csv")
    lengths = [0, 1, 15, 16, 17, 31, 32, 33, 1000]
    data = b"".join(b"%s,%s\n" % (b"x" * a, b"y" * b) for a in lengths for b in lengths if a or b)
    with pytest.MonkeyPatch.context() as patch:
        rows, damaged, _ = both(patch, lambda: csv_parts(data.removesuffix(b"\n"), options))
    assert len(rows) == len(lengths) ** 2 - 1
    assert not damaged
    assert pa.array([r["ID"] for r in rows]).null_count == len(lengths) - 1
