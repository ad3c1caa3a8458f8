"""The client of `bench.serve`: a process of its own that sends calls which were written before.

From its input it reads a job in JSON: where to, the calls as they go over the wire, and either on
how many connections (each sends its next call when it has its answer) or how many calls a second
(each leaves at its time, whatever became of the others; what it took is measured from that time).
To its output it writes what came of them. A connection is given up after a while, before the service
gives it up; a call whose connection breaks is lost, and said to be.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

AGREEMENT = "f09-hrss-health-card-query"
PATH = f"/v1/{AGREEMENT}/query"
LIFE_S, IDLE_S = 40.0, 2.0
"""A connection is used for so long, and again after at most such a pause."""
PATIENCE_S = 60.0
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CODE = re.compile(rb'"code": ?"(\w+)"')
LOST = "lost"


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be sent.

    Attributes:
        host: where to.
        port: where to.
        calls: as they go over the wire, in Latin-1.
        connections: that wait for their answers; 0: calls leave at a rate.
        rate: calls a second; 0: as `connections` says.
        keep: each so many answers one is kept as it came; 0: none.
    """

    host: str
    port: int
    calls: Sequence[str] = field(repr=False)
    connections: int = 0
    rate: float = 0.0
    keep: int = 0


@dataclass(slots=True)
class Sending:
    """What came of a job.

    Attributes:
        seconds: from the first call to the last answer.
        cpu: CPU seconds of this process meanwhile.
        took: seconds of each call, in their order; of one that was lost, all that was waited.
        codes: of the answers, each call's in their order.
        kept: answers as they came, by the number of their call.
    """

    took: list[float] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    cpu: float = 0.0

    @property
    def counts(self) -> Counter[str]:
        """How many answers of each code."""
        return Counter(self.codes)


class Line(asyncio.Protocol):
    """A connection on which one call after the other is answered."""

    def __init__(self) -> None:
        self._came = bytearray()
        self._answer: asyncio.Future[bytes] | None = None
        self._transport: asyncio.Transport | None = None
        self.begun = self.used = time.monotonic()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is there."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """A piece of an answer."""
        self._came += data
        head = self._came.find(b"\r\n\r\n")
        if head < 0 or self._answer is None:
            return
        length = _LENGTH.search(self._came, 0, head)
        end = head + 4 + (int(length[1]) if length else 0)
        if len(self._came) >= end and not self._answer.done():
            self._answer.set_result(bytes(self._came[head + 4 : end]))
            del self._came[:end]

    def connection_lost(self, exc: Exception | None) -> None:
        """Whoever waits is told."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionError())
        self._transport = None

    @property
    def good(self) -> bool:
        """Whether another call may go over it."""
        now = time.monotonic()
        young = now - self.begun < LIFE_S and now - self.used < IDLE_S
        return young and self._transport is not None and not self._transport.is_closing()

    def close(self) -> None:
        """Give it up."""
        if self._transport is not None:
            self._transport.close()

    async def ask(self, call: bytes) -> bytes:
        """The body of the answer to a call.

        Raises:
            OSError: the connection has broken.
        """
        if self._transport is None:
            raise ConnectionError
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(call)
        try:
            return await asyncio.wait_for(self._answer, PATIENCE_S)
        finally:
            self.used = time.monotonic()


class Client:
    """Sends a job."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._calls = [call.encode("latin-1") for call in job.calls]
        self._free: list[Line] = []
        self.found = Sending([0.0] * len(job.calls), [LOST] * len(job.calls))

    async def run(self) -> Sending:
        """Send all of it."""
        begun, spent = time.perf_counter(), time.process_time()
        if self._job.rate:
            await self._at_a_rate()
        else:
            numbers = iter(range(len(self._calls)))
            lines = range(self._job.connections)
            await asyncio.gather(*(self._one_after_the_other(numbers) for _ in lines))
        self.found.seconds = time.perf_counter() - begun
        self.found.cpu = time.process_time() - spent
        for line in self._free:
            line.close()
        return self.found

    async def _one_after_the_other(self, numbers: Iterator[int]) -> None:
        for number in numbers:
            await self._ask(number, time.perf_counter())

    async def _at_a_rate(self) -> None:
        begun = time.perf_counter()
        asked = []
        for number in range(len(self._calls)):
            due = begun + number / self._job.rate
            while (early := due - time.perf_counter()) > 0:
                await asyncio.sleep(early)
            asked.append(asyncio.create_task(self._ask(number, due)))
        await asyncio.gather(*asked)

    async def _ask(self, number: int, due: float) -> None:
        try:
            line = await self._line()
            body = await line.ask(self._calls[number])
        except OSError:  # which a time that is over is as well
            self.found.took[number] = time.perf_counter() - due
            return
        self.found.took[number] = time.perf_counter() - due
        code = _CODE.search(body)
        self.found.codes[number] = code[1].decode() if code else "none"
        if self._job.keep and number % self._job.keep == 0:
            self.found.kept[str(number)] = body.decode()
        self._free.append(line)

    async def _line(self) -> Line:
        while self._free:
            line = self._free.pop()
            if line.good:
                return line
            line.close()
        loop = asyncio.get_running_loop()
        _, line = await loop.create_connection(Line, self._job.host, self._job.port)
        return line


def run(job: Job) -> Sending:
    """Send a job from this process."""
    return asyncio.run(Client(job).run())


def main() -> None:
    """Entry point."""
    words: dict[str, Any] = json.load(sys.stdin)
    json.dump(asdict(run(Job(**words))), sys.stdout)


if __name__ == "__main__":
    main()
