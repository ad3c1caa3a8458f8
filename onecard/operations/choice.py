"""Datasets and agreements that somebody names: by their ids, or all of an agency."""

from __future__ import annotations

from collections.abc import Iterable

from onecard.errors import UsageError, unknown
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
