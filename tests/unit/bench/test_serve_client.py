"""The client of the bench of single persons, against a server that answers as it is told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

import pytest

from bench.serve_calls import wire
from bench.serve_client import LOST, Job, run


@contextmanager
def server(*answers: bytes) -> Iterator[int]:
    """Answers one call after the other, whichever connection it comes on; nothing: hangs up."""
    left, ready, over = list(answers), Event(), Event()
    port = [0]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
                await reader.readexactly(length)
                answer = left.pop(0)
                if not answer:
                    break
                writer.write(answer[:30])  # in two pieces
                await writer.drain()
                await asyncio.sleep(0.01)
                writer.write(answer[30:])
        except asyncio.IncompleteReadError:
            pass
        writer.close()

    async def main() -> None:
        started = await asyncio.start_server(serve, "127.0.0.1", 0)
        port[0] = started.sockets[0].getsockname()[1]
        ready.set()
        async with started:
            await asyncio.to_thread(over.wait)

    thread = Thread(target=asyncio.run, args=(main(),))
    thread.start()
    ready.wait()
    try:
        yield port[0]
    finally:
        over.set()
        thread.join()


def answer(code: str, status: str = "200 OK") -> bytes:
    body = f'{{"code":"{code}"}}'
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


CALL = wire("here", b'{"of": "\xe7\x8e\x8b"}', {"sid": "x"})


@pytest.mark.parametrize("way", [{"connections": 1}, {"rate": 20.0}])
def test_each_answer_is_that_of_its_call(way: dict[str, float]) -> None:
    with server(answer("00"), answer("66", "429 Too Many"), answer("00")) as port:
        found = run(Job("127.0.0.1", port, [CALL] * 3, keep=2, **way))  # type: ignore[arg-type]
    assert found.codes == ["00", "66", "00"]
    assert found.kept == {"0": '{"code":"00"}', "2": '{"code":"00"}'}
    assert all(0.01 <= took < 5 for took in found.took)


def test_a_call_whose_connection_breaks_is_lost_and_the_next_has_another() -> None:
    with server(answer("00"), b"", answer("00")) as port:
        found = run(Job("127.0.0.1", port, [CALL] * 3, connections=1))
    assert found.codes == ["00", LOST, "00"]


def test_at_a_rate_time_counts_from_when_a_call_was_to_leave() -> None:
    with server(*[answer("00")] * 4) as port:
        found = run(Job("127.0.0.1", port, [CALL] * 4, rate=10.0))
    assert 0.3 <= found.seconds < 5


def test_the_body_of_a_call_is_sent_byte_by_byte() -> None:
    assert CALL.encode("latin-1").endswith(b'{"of": "\xe7\x8e\x8b"}')
    assert "Content-Length: 13\r\n" in CALL
