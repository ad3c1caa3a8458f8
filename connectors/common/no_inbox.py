"""What kinds of systems have that are read and never delivered into."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import model_validator

from onecard.base.frozen import Frozen
from onecard.errors import ConfigError

if TYPE_CHECKING:  # lint reads options without Arrow
    from onecard.ports.sink import Parcel, Sent


class NoInbox(Frozen):
    """Options of an inbox that a kind of system does not have: none are valid."""

    @model_validator(mode="before")
    @classmethod
    def _refused(cls, _value: object) -> object:
        from connectors import KINDS, READ_ONLY  # noqa: PLC0415 - the registry knows every kind

        choices = ", ".join(sorted(set(KINDS) - READ_ONLY))
        msg = (
            f"a connector of this kind is read, and nothing is delivered by it; choices: {choices}"
        )
        raise ValueError(msg)


def refuse(parcel: Parcel) -> Sent:
    """What such a connector does with a parcel.

    Raises:
        ConfigError: always.
    """
    msg = f"{parcel.agreement}: nothing is delivered by a connector of this kind"
    raise ConfigError(msg)
