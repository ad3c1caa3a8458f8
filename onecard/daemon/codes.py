"""What a code of a closed list says: to whoever calls, with what the caller should do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """One code.

    Attributes:
        code: in the JSON.
        status: of HTTP.
        zh: what it means, in Chinese.
        en: the same in English.
        do_zh: what the caller should do.
        do_en: the same in English.
        retry_s: seconds after which a next call has a chance; 0: it is not said.
    """

    code: str
    status: int
    zh: str
    en: str
    do_zh: str
    do_en: str
    retry_s: int = 0
