"""What every task works with: the hub, by Airflow's connections and keys, and how its errors end.

Nothing heavy is imported and nothing is connected to while Airflow parses a file that imports this.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from airflow.sdk import Connection, get_current_context
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from onecard.base.connections import Connection as HubConnection
from onecard.base.connections import check_environment, parse
from onecard.base.settings import keys_from_airflow
from onecard.errors import HoldError


class AirflowConnections:
    """Connections from Airflow's own store and secrets backends."""

    def get(self, connection_id: str) -> HubConnection:
        """The connection of that id, as the hub understands it."""
        check_environment(connection_id)
        return parse(connection_id, Connection.get(connection_id).as_json())


def desk() -> Any:  # noqa: ANN401 - HubDesk is imported inside tasks only
    """The hub without its transfers, for tasks that move nothing: quick to import."""
    from onecard.app.hub_desk import HubDesk  # noqa: PLC0415 - not while parsing

    return HubDesk(connections=AirflowConnections(), key_source=_keys())


def hub_of(audit: str) -> Any:  # noqa: ANN401 - Hub is imported inside tasks only
    """The hub of this task.

    Args:
        audit: `gx` or `sql`: what looks at datasets before they are published.
    """
    import hub_metrics  # noqa: PLC0415 - beside this file; as heavy as what it tells of

    from onecard.app.wiring import Hub  # noqa: PLC0415 - heavy: not while parsing
    from onecard.base import logs  # noqa: PLC0415

    logs.listen(hub_metrics.emit)
    engine: Literal["gx", "sql"] = "gx" if audit == "gx" else "sql"
    return Hub(connections=AirflowConnections(), audit=engine, key_source=_keys())


def _keys() -> Callable[[], str] | None:
    """The key document from Airflow's variable `onecard_keys` (any secrets backend).

    Only with ONECARD_KEYS_FROM_AIRFLOW=1; else the hub's own sources (ONECARD_KEYS, key file).
    """
    from airflow.sdk import Variable  # noqa: PLC0415 - asks Airflow: not while parsing

    if not keys_from_airflow():
        return None
    return lambda: str(Variable.get("onecard_keys"))


def final(error: Exception, subject: str = "") -> AirflowFailException | AirflowSkipException:
    """An error that no retry mends: fatal, or held until a person decides.

    What is held says so in the XCom `held` too: why, who may release it and how; never a value.
    What is not on board yet fails no run: its task is skipped, and says why.

    Args:
        error: one of ours.
        subject: the dataset or agreement; empty where it is none of these.
    """
    said = f"{type(error).__name__}: {error}"
    if isinstance(error, HoldError):
        get_current_context()["ti"].xcom_push(key="held", value=str(error))
        said = f"HELD for a person: {said}"
    if subject and hub_of("sql").catalogue.onboarding(subject):
        return AirflowSkipException(f"not on board yet: {said}")
    return AirflowFailException(said)
