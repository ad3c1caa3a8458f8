"""GB 18030-2022 as a codec: Python's own `gb18030` is the edition of 2000.

GB 18030-2022, 1 August 2023, maps no character to Unicode's private use area any more. 24 two-byte
codes stood there in the edition of 2005: ten vertical forms of punctuation and fourteen ideographs,
of which six are now written with four bytes. One more (A8BC) had left it in 2005.

Reading takes the two-byte and the four-byte code of each for the same character, so that files of
either edition hold the same names. Writing gives the code of 2022.
"""

from __future__ import annotations

import codecs
import re
from array import array
from functools import cache
from itertools import product

NAME = "gb18030-2022"
"""What `open`, `encode` and `decode` know the codec by, once this module is imported."""

TWO_BYTES = {
    "A6D9": "\ufe10",
    "A6DA": "\ufe12",
    "A6DB": "\ufe11",
    "A6DC": "\ufe13",
    "A6DD": "\ufe14",
    "A6DE": "\ufe15",
    "A6DF": "\ufe16",
    "A6EC": "\ufe17",
    "A6ED": "\ufe18",
    "A6F3": "\ufe19",
    "FE59": "\u9fb4",
    "FE61": "\u9fb5",
    "FE66": "\u9fb6",
    "FE67": "\u9fb7",
    "FE6D": "\u9fb8",
    "FE7E": "\u9fb9",
    "FE90": "\u9fba",
    "FEA0": "\u9fbb",
    "A8BC": "\u1e3f",
}
"""Codes whose character moved out of the private use area (2022; A8BC: 2005), in hexadecimal."""
FOUR_BYTES = {
    "FE51": "\U00020087",
    "FE52": "\U00020089",
    "FE53": "\U000200cc",
    "FE6C": "\U000215d7",
    "FE76": "\U0002298f",
    "FE91": "\U000241fe",
}
"""Codes that older systems wrote; since 2022 their characters have four bytes (95329031 …)."""

FOUR_IN_BMP = 39_420
"""Four-byte codes from 81308130 on that stand for the BMP's remaining characters, in its order."""

_PLAIN = codecs.lookup("gb18030")


def _private(code: str) -> str:
    """The character of the private use area that Python's codec gives for a two-byte code."""
    return _PLAIN.decode(bytes.fromhex(code))[0]


_READ = {ord(_private(c)): found for c, found in (TWO_BYTES | FOUR_BYTES).items()}
_WRITTEN = {ord(found): _private(code) for code, found in TWO_BYTES.items()}
_MOVED = re.compile("[" + "".join(map(chr, _READ)) + "]")
_MOVING = re.compile("[" + "".join(map(chr, _WRITTEN)) + "]")


def _read(text: str) -> str:
    if text.isascii() or not _MOVED.search(text):
        return text
    return text.translate(_READ)


def encode(text: str, errors: str = "strict") -> tuple[bytes, int]:
    """The text in GB 18030-2022, and how many characters were taken."""
    if not text.isascii() and _MOVING.search(text):
        text = text.translate(_WRITTEN)
    return _PLAIN.encode(text, errors)


def decode(data: bytes, errors: str = "strict") -> tuple[str, int]:
    """The text of bytes in GB 18030 of any edition, and how many bytes were taken."""
    text, taken = _PLAIN.decode(data, errors)
    return _read(text), taken


@cache
def codes() -> tuple[bytes, bytes]:
    """What each code means, as 16-bit numbers, 0 for nothing.

    Returns:
        Of the two-byte codes, by (lead - 0x81) * 256 + trail; of the four-byte codes of the BMP, by
        their place in the standard's order.
    """
    two, four = array("H", bytes(2 * 126 * 256)), array("H", bytes(2 * FOUR_IN_BMP))
    for lead, trail in product(range(126), range(0x40, 0xFF)):
        two[lead * 256 + trail] = _meaning(bytes((0x81 + lead, trail)))
    for place in range(FOUR_IN_BMP):
        rest, last = divmod(place, 10)
        rest, third = divmod(rest, 126)
        first, second = divmod(rest, 10)
        code = bytes((0x81 + first, 0x30 + second, 0x81 + third, 0x30 + last))
        four[place] = _meaning(code)
    return two.tobytes(), four.tobytes()


def _meaning(code: bytes) -> int:
    """The code point of one code; 0: none that a text can hold, or one beyond 16 bits."""
    try:
        point = ord(decode(code)[0])
    except (ValueError, TypeError):  # no character, or two
        return 0
    return 0 if 0xD800 <= point < 0xE000 or point > 0xFFFF else point


class _Encoder(codecs.IncrementalEncoder):
    def encode(self, text: str, final: bool = False) -> bytes:  # noqa: ARG002, FBT001, FBT002 - codecs'
        return encode(text, self.errors)[0]


class _Decoder(codecs.IncrementalDecoder):
    """Keeps the bytes of a character that is cut; every whole one is mapped by itself."""

    def __init__(self, errors: str = "strict") -> None:
        super().__init__(errors)
        self._plain = codecs.getincrementaldecoder("gb18030")(errors)

    def decode(self, data: bytes, final: bool = False) -> str:  # type: ignore[override]  # noqa: FBT001, FBT002 - codecs'
        return _read(self._plain.decode(data, final))

    def reset(self) -> None:
        self._plain.reset()

    def getstate(self) -> tuple[bytes, int]:
        return self._plain.getstate()

    def setstate(self, state: tuple[bytes, int]) -> None:
        self._plain.setstate(state)


class _Reader(codecs.StreamReader):
    decode = staticmethod(decode)  # type: ignore[assignment]


class _Writer(codecs.StreamWriter):
    encode = staticmethod(encode)  # type: ignore[assignment]


def _found(name: str) -> codecs.CodecInfo | None:
    if name.replace("-", "_") != NAME.replace("-", "_"):
        return None
    return codecs.CodecInfo(
        encode=encode,
        decode=decode,  # type: ignore[arg-type]
        incrementalencoder=_Encoder,
        incrementaldecoder=_Decoder,
        streamreader=_Reader,
        streamwriter=_Writer,
        name=NAME,
    )


codecs.register(_found)
