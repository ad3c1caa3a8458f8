"""A person vouches for what the hub's own rules would not let pass."""

from __future__ import annotations

from dataclasses import dataclass

from onecard.base import personal
from onecard.errors import ConfigError


@dataclass(frozen=True, slots=True)
class SignOff:
    """Who lets it pass, by name and office, and why; both go into the audit log for good."""

    by: str
    reason: str

    def check(self) -> None:
        """Raise when it says too little or too much.

        Raises:
            ConfigError: nobody is named, or the reason is empty or holds personal data.
        """
        if not self.by.strip():
            msg = "who vouches for it is not named: by name and office"
            raise ConfigError(msg)
        if not self.reason.strip():
            msg = "the reason is empty: it is kept for good, so that others can understand"
            raise ConfigError(msg)
        keepable(self.reason)


def keepable(reason: str) -> str:
    """The reason, which the audit log keeps for good.

    Raises:
        ConfigError: it holds personal data; says of which kind.
    """
    kinds = {hit.kind for hit in personal.find(reason)}
    if kinds:
        what = f"holds personal data ({', '.join(sorted(kinds))})"
        msg = f"the reason {what}: it is kept for good, so write it in other words"
        raise ConfigError(msg)
    return reason
