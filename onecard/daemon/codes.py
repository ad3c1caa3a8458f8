"""What a code of a closed list says: to whoever calls, with what the caller should do.

A door has a list of its own; codes that every door has stand here.
"""

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


OUT_OF_TIME = Code(
    "41",
    401,
    "签名正确，rtime 不在时间窗内",
    "the signature is right, rtime is not within the window",
    "校准时钟",
    "set the clock",
)
REPLAYED = Code(
    "42",
    409,
    "签名正确，rid 已用过",
    "the signature is right, this rid was taken before",
    "每次调用使用新的 rid，重发也一样",
    "make a new rid for every call, also for a repetition",
)
FAILED_TOO_OFTEN = Code(
    "44",
    429,
    "同 40，且来自该地址的此类调用过多",
    "as 40, and too many such calls have come from this address under this sid",
    "同 40",
    "see 40",
)
NO_SUCH_PATH = Code("46", 404, "没有这个路径", "no such path", "核对路径", "check the path")
HEADERS = Code(
    "48",
    431,
    "报文头过大",
    "more than 8 KiB of headers",
    "只带所需报文头",
    "send only those needed",
)
