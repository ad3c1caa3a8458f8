"""What somebody names: datasets and agreements by their ids or all of an agency, rejected rows."""

from __future__ import annotations

from collections.abc import Iterable

from onecard.errors import UsageError, unknown
from onecard.store import quarantine, transfers
from onecard.store.database import Connection
from onecard.store.quarantine import Wanted
from quality.privacy import registry
from quality.rows.rule_titles import ASPECTS, BUILT_IN
from schemas.models import semantic
from schemas.models.catalogue import Catalogue


def datasets(catalogue: Catalogue, names: Iterable[str]) -> tuple[str, ...]:
    """Ids of the datasets, each once, in the order in which they were named.

    Args:
        catalogue: contracts and agencies.
        names: of datasets, or of agencies: all that they provide.

    Raises:
        InvalidFile: the file of one that is named is broken.
        UsageError: there is no such name, or the agency provides nothing.
    """
    found: list[str] = []
    for name in names:
        if name in catalogue.agencies:
            own = [c.id for c in catalogue.datasets_of(name)]
            if not own:
                msg = f"{name} provides no dataset: it receives, see `onecard deliver {name}`"
                raise UsageError(msg)
            found += own
        elif "/" in name:
            found.append(catalogue.contract(name).id)
        else:
            known = [*catalogue.agencies, *catalogue.contracts]
            raise UsageError(unknown("dataset or agency", name, known))
    return tuple(dict.fromkeys(found))


def agreements(catalogue: Catalogue, names: Iterable[str]) -> tuple[str, ...]:
    """Ids of the agreements, each once, in the order in which they were named.

    Args:
        catalogue: agreements and agencies.
        names: of agreements, or of consumers: all that are served to them.

    Raises:
        InvalidFile: the file of one that is named is broken.
        UsageError: there is no such name, or the consumer receives nothing.
    """
    found: list[str] = []
    for name in names:
        if name in catalogue.agencies:
            own = [a.id for a in catalogue.agreements_of(name)]
            if not own:
                msg = f"{name} receives nothing: no served agreement names it as its consumer"
                raise UsageError(msg)
            found += own
        else:
            found.append(catalogue.agreement(name).id)
    return tuple(dict.fromkeys(found))


def check_rejected(catalogue: Catalogue, connection: Connection, which: Wanted) -> None:
    """Check what named rejected rows of which none was found: a slip of the pen looks like peace.

    Args:
        catalogue: contracts, whose rules a row may break.
        connection: of the hub's database.
        which: what was looked for.

    Raises:
        UsageError: there is no such rule, or no such transfer.
    """
    if which.transfer is not None and not transfers.status(connection, which.transfer):
        msg = f"no transfer {which.transfer}; `onecard status` shows the newest"
        raise UsageError(msg)
    if which.rule is None:
        return
    known = {*quarantine.broken_rules(connection), *BUILT_IN, *registry.texts()}
    known |= {f"{kind}.{aspect}" for kind in semantic.load().types for aspect in ASPECTS}
    known |= {rule.name for c in catalogue.contracts.values() for rule in c.rules}
    if which.rule not in known:
        raise UsageError(unknown("rule", which.rule, known))
