"""Every parser of what comes from outside: whatever the bytes are, our own errors or rows.

Nothing crashes with a foreign error, nothing hangs, and no message holds a value.
"""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import connectors
from connectors.http.body import Whole
from connectors.http.pages import Pages
from connectors.http.repeats import PageKeys
from connectors.rest.client import Client
from connectors.rest.options import RestSource
from connectors.rest.read import JsonApi
from onecard.base.connections import Connection
from onecard.crypto import keys
from onecard.crypto.keys import KeyStore
from onecard.crypto.signing import Signer
from onecard.deliver.manifest import refusal
from onecard.errors import OnecardError
from onecard.ports.source import Chunk, Column, ReadRequest
from onecard.store.receipts import signed_manifest, signed_text
from quality.rows.gate import compile_gate
from schemas.models import catalogue, strict_yaml
from schemas.models.problem import InvalidFile
from tests.fuzz.mutation import SECRETS, fuzzed, inputs, silent
from tests.workbooks import DbfColumn, SheetMade, dbf, xls, xlsx, zipped

ROWS = [
    {"ID": SECRETS[0], "NAME": SECRETS[3], "MOBILE": SECRETS[1], "SUM": "12.50"},
    {"ID": SECRETS[0], "NAME": None, "MOBILE": "", "SUM": "0"},
    {"ID": None, "NAME": '一"二', "MOBILE": SECRETS[2], "SUM": "-1"},
]
COLUMNS = tuple(Column(n.lower(), n, n == "ID") for n in ROWS[0])
REST = {"path": "/x", "records": "data.rows", "paginator": {"kind": "keyset"}}
REST["paginator"] |= {"cursor_param": "after", "next": "data.next", "size_param": "size"}  # type: ignore[operator]


def request(options: Any) -> ReadRequest:
    return ReadRequest(dataset="a/b", columns=COLUMNS, options=options, batch_rows=2)


Found = list[tuple[dict[str, Any], str]]


def read_file(data: bytes, layout: dict[str, Any]) -> Found:
    """Rows of a file with these bytes, and the rule that each breaks."""
    files = connectors.connector("files")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "out").mkdir()
        (Path(folder) / "out" / "f.dat").write_bytes(data)
        options = files.source_options.model_validate(
            {"directory": "out", "pattern": "*.dat", "format": layout}
        )
        home = Connection(id="c", conn_type="fs", extra={"path": folder})
        found: Found = []
        for part in files.read(home, request(options)):
            assert part.batch.schema.names == [c.name for c in COLUMNS]
            assert all(0 <= place < part.batch.num_rows for place in part.damaged)
            part.batch.validate()
            rules = [part.damaged.get(i, "") for i in range(part.batch.num_rows)]
            found += zip(part.batch.to_pylist(), rules, strict=True)
        return found


def survives(read: Callable[[], object]) -> object:
    """What was read, or the error that says why not."""
    try:
        return read()
    except (OnecardError, InvalidFile) as error:
        silent(error)
        return type(error), str(error)


def csv_of(encoding: str) -> bytes:
    lines = [",".join(ROWS[0])]
    for row in ROWS:
        cells = [
            '"' + v.replace('"', '""') + '"' if v and '"' in v else v or "" for v in row.values()
        ]
        lines.append(",".join(cells))
    return "\r\n".join([*lines, ""]).encode(encoding)


def parquet() -> bytes:
    table = pa.table({n: [r[n] for r in ROWS] * 30 for n in ("ID", "NAME", "MOBILE")})
    table = table.append_column("SUM", pa.array([Decimal("12.50")] * 90))
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=40)
    return sink.getvalue()


TABLE = [list(ROWS[0]), *(list(r.values()) for r in ROWS)]
"""The rows below their names, as a sheet has them."""
WIDTHS = {"ID": 18, "NAME": 12, "MOBILE": 20, "SUM": 8}
FIXED = {"kind": "fixed", "columns": [{"name": n, "width": w} for n, w in WIDTHS.items()]}


def cells() -> list[list[bytes]]:
    """The rows' values in GB 18030."""
    return [[(v or "").encode("gb18030") for v in r.values()] for r in ROWS]


def of_dbf() -> bytes:
    return dbf([DbfColumn(n, "C", w) for n, w in WIDTHS.items()], cells())


def of_lines() -> bytes:
    return b"".join(b"".join(map(bytes.ljust, r, WIDTHS.values())) + b"\r\n" for r in cells())


def of_xml() -> bytes:
    rows = "".join(
        "<row>" + "".join(f"<{k}>{escape(v)}</{k}>" for k, v in r.items() if v) + "</row>"
        for r in ROWS
    )
    return f'<?xml version="1.0"?><rows>{rows}</rows>'.encode()


def stored(data: bytes) -> bytes:
    """The same archive, not packed: what is spoilt in it is the XML."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(made, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return made.getvalue()


PAGE = json.dumps({"data": {"rows": ROWS, "next": "7"}}, ensure_ascii=False).encode()
LINES = "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in ROWS).encode()
FILES = {
    "csv": ({"kind": "csv"}, csv_of("utf-8"), b'",\r\n\x00\xef\xff'),
    "csv-gb18030": (
        {"kind": "csv", "encoding": "gb18030"},
        csv_of("gb18030"),
        b'",\r\n\x00\x81\x30\xff',
    ),
    "jsonl": ({"kind": "jsonl"}, LINES, b'{}[]",:\\\n0-.eE'),
    "json": ({"kind": "json", "records": "data.rows"}, PAGE, b'{}[]",:\\\n0-.eE'),
    "parquet": ({"kind": "parquet"}, parquet(), b"\x00\x01\x7f\x80\xffPAR1"),
    "xlsx": ({"kind": "excel"}, xlsx(SheetMade(TABLE)), b"PK\x01\x02\x03\x04\x05\x06\x00\xff"),
    "xlsx-stored": ({"kind": "excel"}, stored(xlsx(SheetMade(TABLE))), b"<>/&;!\"'=PK\x00\xff"),
    "xls": ({"kind": "excel"}, xls(TABLE), b"\x00\x01\x06\x09\x0a\x85\xfd\xff"),
    "dbf": ({"kind": "dbf"}, of_dbf(), b" *\r\x1a\x00\x03CNDL\xff"),
    "xml": ({"kind": "xml", "record": "/rows/row"}, of_xml(), b"<>/&;![]\"'=?\x00\xff"),
    "fixed": (FIXED, of_lines(), b" \r\n\x00\x81\x30\xff"),
    "zip": (
        {"kind": "zip", "of": {"kind": "csv"}},
        zipped({"a.csv": csv_of("utf-8")}),
        b"PK\x01\x02\x03\x04\x05\x06\x00\xff",
    ),
}


@pytest.mark.fault(
    "F30", "random and mutated files: rows or our own errors, no value told, scanned or not"
)
@pytest.mark.fault("F25", "quotes and line ends anywhere in a CSV never crash or hang it")
@pytest.mark.parametrize("kind", FILES)
def test_files(kind: str) -> None:
    layout, sound, marks = FILES[kind]
    assert len(read_file(sound, layout)) == (90 if kind == "parquet" else 3)

    @fuzzed
    @given(inputs(sound, marks))
    def run(data: bytes) -> None:
        found = []
        for way in ("on", "off"):
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("ONECARD_NATIVE", way)
                found.append(survives(lambda: read_file(data, layout)))
        assert str(found[0]) == str(found[1])

    run()


@pytest.mark.fault("F30", "random and mutated pages: rows or our own errors, no value told")
def test_json_pages() -> None:
    options = RestSource.model_validate(REST)

    def read(data: bytes) -> int:
        reply = Whole(200, {"Content-Type": "application/json"}, data)
        client = Client(
            Connection(id="c", conn_type="http", host="127.0.0.1", port=1), options, "a/b"
        )
        asked = request(options)
        api = JsonApi(client, asked, options)
        document = client.json_document(reply, "a/b at /x", lambda body: api.parsed(body, {}))
        pages = Pages(api, asked, options, {}, PageKeys(()))
        return sum(b.num_rows for b, _ in pages._records(document).parts(asked, "/x"))

    assert read(PAGE) == 3

    @fuzzed
    @given(inputs(PAGE, b'{}[]",:\\\n0-.eE'))
    def run(data: bytes) -> None:
        survives(lambda: read(data))

    run()


@pytest.mark.fault("F42", "random and mutated YAML is refused with its line or understood")
@pytest.mark.parametrize("name", ["contract", "agreement"])
def test_yaml(name: str, tmp_path: Path) -> None:
    pattern = {"contract": "contracts/hrss/*.yaml", "agreement": "agreements/*.yaml"}[name]
    sound = sorted(catalogue.ROOT.glob(pattern))[0].read_bytes()

    file = tmp_path / "f.yaml"

    def read(data: bytes) -> None:
        file.write_bytes(data)
        try:
            found = strict_yaml.parse(file)
        except InvalidFile as error:
            assert all(p.line >= 1 and p.rule for p in error.problems)
            return
        assert isinstance(found.data, dict)

    read(sound)

    @fuzzed
    @given(inputs(sound, b":-[]{}&*!|>'\"%@`#?,\n\t \x00\x85~<="))
    def run(data: bytes) -> None:
        survives(lambda: read(data))

    run()


@pytest.mark.fault("F42", "deep nesting and huge numbers are refused with their line")
@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("a: " + "[" * 5000 + "]" * 5000, "yaml.depth"),
        ("a: " + "{b: " * 5000 + "1" + "}" * 5000, "yaml.depth"),
        ("x: 1\na: " + "9" * 5000, "yaml.scalar"),
    ],
)
def test_yaml_of_extreme_shape(text: str, rule: str) -> None:
    with pytest.raises(InvalidFile) as caught:
        strict_yaml.parse(Path("f.yaml"), text)
    assert [(p.rule, p.line) for p in caught.value.problems] == [
        (rule, 2 if rule == "yaml.scalar" else 1)
    ]


@pytest.mark.fault("F39", "a manifest with anything changed is refused, however it was changed")
def test_delivered_manifests(signer: Signer) -> None:
    content = {"consumer": "bank", "deliveryId": "d1", "rows": 3, "columns": ["a", "b"]}
    signed = signed_manifest(content, signer)
    public = signer.public_keys()
    assert refusal(signed, public, "bank") == ""
    sound = json.dumps(signed).encode()

    @fuzzed
    @given(inputs(sound, b'{}[]",:\\0-.eE'))
    def run(data: bytes) -> None:
        try:
            found = json.loads(data)
        except (ValueError, RecursionError):
            return
        if not isinstance(found, dict):
            return
        why = refusal(found, public, "bank")
        altered = {k: v for k, v in found.items() if k != "signature"}
        assert why or signed_text(altered) == signed_text(content)

    run()


@pytest.mark.fault("F13", "a manifest that is no manifest is refused or waited for")
def test_manifests_of_files() -> None:
    files = connectors.connector("files")
    options = files.source_options.model_validate(
        {"directory": "out", "pattern": "*.csv", "format": {"kind": "csv"}, "manifest": {}}
    )
    body = csv_of("utf-8")
    sound = json.dumps({"rows": 3, "sha256": hashlib.sha256(body).hexdigest()}).encode()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        out.mkdir()
        (out / "f.csv").write_bytes(body)
        home = Connection(id="c", conn_type="fs", extra={"path": folder})

        def read(data: bytes) -> int:
            (out / "f.csv.manifest.json").write_bytes(data)
            return sum(c.batch.num_rows for c in files.read(home, request(options)))

        assert read(sound) == 3

        @fuzzed
        @given(inputs(sound, b'{}[]",:\\0-.eE'))
        def run(data: bytes) -> None:
            survives(lambda: read(data))

        run()


WORDS = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(SECRETS)


@pytest.mark.fault("F30", "any text in any field passes the gate or is quarantined, and counted")
def test_the_gate() -> None:
    contract = catalogue.load().contract("hrss/card_status_event")
    gate = compile_gate(contract)
    now = datetime(2026, 11, 24, tzinfo=UTC)

    @fuzzed
    @given(
        st.lists(
            st.lists(st.none() | WORDS, min_size=len(contract.names), max_size=len(contract.names)),
            max_size=4,
        )
    )
    def run(rows: list[list[str | None]]) -> None:
        arrays = [pa.array([r[i] for r in rows], pa.string()) for i in range(len(contract.names))]
        batch = pa.RecordBatch.from_arrays(arrays, names=list(contract.names))
        try:
            checked = gate.check(Chunk(batch, "made"), now)
        except OnecardError as error:
            silent(error)
            raise
        assert len(checked.good) + len(checked.rejected) == len(rows)

    run()


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    keys.create(tmp_path / "keys.json", ["bank"], "2026")
    return Signer("international", KeyStore(tmp_path / "keys.json"))
