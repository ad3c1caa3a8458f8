"""What `bench.serve` is compared with: a handler that looks a person up and does nothing else.

FastAPI under uvicorn with the parser and the loop of `onecard serve`, sessions of psycopg that are
kept open, one statement a call. It asks nobody who they are, keeps no record and signs nothing. `python -m bench.serve_bare ADDRESS
PORT`.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from bench.serve_client import PATH

SESSIONS = 8
LOOK_UP = (
    "SELECT card_status, card_no FROM registry.hrss__card_master WHERE person_id18 = %s"
    " AND person_name = %s AND _deleted_at IS NULL ORDER BY issue_date DESC LIMIT 1"
)


class Person(BaseModel):
    """Who is asked for."""

    id_number: str
    person_name: str


class Question(BaseModel):
    """What of a call's body is looked at."""

    person: Person


def create_app(address: str) -> FastAPI:
    """The application.

    Args:
        address: of the database.
    """
    free: asyncio.Queue[psycopg.AsyncConnection[tuple[object, ...]]] = asyncio.Queue()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        connect = psycopg.AsyncConnection.connect
        kept = [await connect(address, autocommit=True) for _ in range(SESSIONS)]
        for connection in kept:
            connection.prepare_threshold = 2
            await free.put(connection)
        yield
        for connection in kept:
            await connection.close()

    app = FastAPI(lifespan=lifespan)

    @app.post(PATH)
    async def look_up(question: Question) -> dict[str, object]:
        connection = await free.get()
        try:
            asked = question.person
            found = await connection.execute(LOOK_UP, (asked.id_number, asked.person_name))
            row = await found.fetchone()
        finally:
            free.put_nowait(connection)
        fields = {"card_status": row[0], "card_no": row[1]} if row else {}
        return {"code": "00", "fields": fields}

    return app


def main() -> None:
    """Entry point."""
    address, port = sys.argv[1:]
    uvicorn.run(
        create_app(address),
        port=int(port),
        http="httptools",
        loop="uvloop",
        access_log=False,
        log_level="warning",
    )


if __name__ == "__main__":
    main()
