"""The columns of the newest upload that lies in the spool."""

from __future__ import annotations

from connectors.files.describe import describe as describe_files
from connectors.push.options import PushSource
from connectors.push.spool import Spool
from onecard.base.connections import Connection
from onecard.model.drift import Described
from schemas.models.contract import Contract


def describe(contract: Contract, connection: Connection) -> Described | None:
    """As of a folder of files with this one file; None where nothing lies there.

    Args:
        contract: of the dataset.
        connection: of the spool.

    Raises:
        ProtocolError, SchemaMismatch: as of files.
    """
    spool = Spool(connection, contract.id)
    lying = spool.lying()
    if not lying:
        return None
    options = PushSource.model_validate(dict(contract.source.options))
    as_file = {
        "directory": spool.folder.name,
        "pattern": lying[-1].path.name,
        "format": options.format.model_dump(),
    }
    source = contract.source.model_copy(update={"options": as_file})
    return describe_files(contract.model_copy(update={"source": source}), connection)
