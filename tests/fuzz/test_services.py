"""What comes of web services and their documents, whatever the bytes are: our own errors or rows."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from hypothesis import given

from connectors.common.xml_rows import Columns
from connectors.soap.envelope import Envelope, records
from connectors.soap.faults import error_of
from connectors.soap.fitting import problems
from connectors.soap.message import message
from connectors.soap.options import SoapSource
from connectors.soap.wsdl import service
from onecard.errors import OnecardError
from onecard.ports.source import Column, ReadRequest
from tests import soap_service
from tests.fuzz.mutation import SECRETS, fuzzed, inputs, silent

MARKS = b"<>/&;![]\"'=?:#\x00\xff"
ROWS = [
    {"ID": SECRETS[0], "NAME": SECRETS[3], "MOBILE": SECRETS[1]},
    {"ID": SECRETS[0], "NAME": "一<二", "MOBILE": SECRETS[2]},
]
COLUMNS = tuple(Column(n.lower(), n, n == "ID") for n in ROWS[0])
ANSWER = {**soap_service.OPTIONS, "paginator": soap_service.KEYSET}
ENCODED = {
    **soap_service.OPTIONS,
    "record": "/r/rows/row",
    "namespaces": {},
}


def survives(read: Callable[[], object]) -> None:
    try:
        read()
    except OnecardError as error:
        silent(error)


def rows_of(data: bytes, options: SoapSource, *, encoded: bool) -> int:
    """Rows of an answer with these bytes."""
    asked = ReadRequest("a/b", COLUMNS, options)
    taken, columns = Envelope(options, encoded=encoded), Columns(asked, "x")
    parts = [columns.part(some) for some in records(io.BytesIO(data), taken, "a/b at x")]
    for batch, damaged in parts:
        batch.validate()
        assert all(0 <= place < batch.num_rows for place in damaged)
    if taken.fault is not None:
        raise error_of(taken.fault, "a/b at x", "c")
    columns.check()
    return sum(batch.num_rows for batch, _ in parts)


def cells(row: dict[str, str]) -> str:
    return "".join(f"<{k}>{escape(v)}</{k}>" for k, v in row.items())


PLAIN = soap_service.envelope(
    f'<queryRowsResponse xmlns="{soap_service.READERS}"><code>0</code><rows>'
    + "".join(f"<row>{cells(r)}</row>" for r in ROWS)
    + "</rows><next>7</next><more>true</more></queryRowsResponse>"
)
REFERRING = soap_service.envelope(
    '<r><rows><row href="#a"/><row href="#b"/></rows></r>'
    f'<multiRef id="a">{cells(ROWS[0])}</multiRef>'
    f'<multiRef id="b"><ID>{SECRETS[0]}</ID><NAME href="#c"/></multiRef>'
    f'<multiRef id="c">{SECRETS[3]}</multiRef>'
)
FAULT = soap_service.fault("Client", SECRETS[3])
SOUND = {"plain": (PLAIN, ANSWER, False), "encoded": (REFERRING, ENCODED, True)}


@pytest.mark.fault("F30", "random and mutated envelopes: rows or our own errors, no value told")
@pytest.mark.parametrize("kind", SOUND)
def test_answers(kind: str) -> None:
    data, given_options, encoded = SOUND[kind]
    options = SoapSource.model_validate(given_options)
    assert rows_of(data, options, encoded=encoded) == 2

    @fuzzed
    @given(inputs(data, MARKS))
    def run(spoilt: bytes) -> None:
        survives(lambda: rows_of(spoilt, options, encoded=encoded))

    run()


@pytest.mark.fault("F30", "random and mutated faults: our own errors, nothing of their text")
def test_faults() -> None:
    options = SoapSource.model_validate(ANSWER)
    with pytest.raises(OnecardError, match="fault Client"):
        rows_of(FAULT, options, encoded=False)

    @fuzzed
    @given(inputs(FAULT, MARKS))
    def run(spoilt: bytes) -> None:
        survives(lambda: rows_of(spoilt, options, encoded=False))

    run()


@pytest.mark.fault("F42", "random and mutated WSDL documents: a request or our own errors")
@pytest.mark.parametrize("name", ["readers.wsdl", "readers.xsd"])
def test_documents(tmp_path: Path, name: str) -> None:
    folder = soap_service.copied(tmp_path / "contracts", "readers.wsdl", "readers.xsd")
    options, file = SoapSource.model_validate(ANSWER), folder / "services" / name
    sound = file.read_bytes()

    def read() -> bytes:
        return message(service(options, folder), {"query.size": "1"})

    assert b"size>1<" in read()

    @fuzzed
    @given(inputs(sound, MARKS))
    def run(data: bytes) -> None:
        file.write_bytes(data)
        survives(read)
        survives(lambda: list(problems(options, folder)))

    run()
