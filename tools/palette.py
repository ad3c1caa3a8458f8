"""Pictures of pages as PNG files of few colours: less than half the size, the same to the eye.

The browser that took the picture also counts its colours; only the file is written here (PNG, third
edition, W3C 2025: a palette and one byte a dot, without filters).
"""

from __future__ import annotations

import base64
import struct
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

COLOURS = 64
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COUNTED = """async ([encoded, most]) => {
  const image = new Image();
  image.src = "data:image/png;base64," + encoded;
  await image.decode();
  const canvas = new OffscreenCanvas(image.width, image.height);
  const drawing = canvas.getContext("2d");
  drawing.drawImage(image, 0, 0);
  const dots = drawing.getImageData(0, 0, image.width, image.height).data;
  const words = new Uint32Array(dots.buffer), counts = new Map();
  for (const word of words) counts.set(word, (counts.get(word) || 0) + 1);
  const parts = word => [word & 255, (word >> 8) & 255, (word >> 16) & 255];
  const wanted = [...counts.keys()].sort((a, b) => counts.get(b) - counts.get(a) || a - b);
  const far = ([r, g, b], [x, y, z]) => (r - x) ** 2 + (g - y) ** 2 + (b - z) ** 2;
  const all = wanted.map(parts), palette = [];
  const least = all.map(() => Infinity), best = all.map(() => 0);
  for (let next = 0; palette.length < most && least[next] > 0;) {
    palette.push(all[next]);
    all.forEach((colour, i) => {
      const here = far(colour, palette.at(-1));
      if (here < least[i]) [least[i], best[i]] = [here, palette.length - 1];
    });
    const gain = least.map((d, i) => d * counts.get(wanted[i]));
    next = gain.indexOf(Math.max(...gain));
  }
  const nearest = new Map(wanted.map((word, i) => [word, best[i]]));
  const places = new Uint8Array(words.length);
  words.forEach((word, i) => { places[i] = nearest.get(word); });
  let text = "";
  for (let i = 0; i < places.length; i += 32768)
    text += String.fromCharCode(...places.subarray(i, i + 32768));
  return { width: image.width, height: image.height, palette: palette.flat(), places: btoa(text) };
}"""


def small(page: Page, picture: bytes) -> bytes:
    """A picture in few colours: each next one is that which most dots miss by most.

    Args:
        page: of the browser, at an address that may run script.
        picture: PNG.
    """
    counted = page.evaluate(_COUNTED, [base64.b64encode(picture).decode(), COLOURS])
    width, places = counted["width"], base64.b64decode(counted["places"])
    lines = b"".join(b"\0" + places[at : at + width] for at in range(0, len(places), width))
    head = struct.pack(">IIBBBBB", width, counted["height"], 8, 3, 0, 0, 0)
    parts = (
        _part(b"IHDR", head),
        _part(b"PLTE", bytes(counted["palette"])),
        _part(b"IDAT", zlib.compress(lines, 9)),
        _part(b"IEND", b""),
    )
    return _SIGNATURE + b"".join(parts)


def _part(kind: bytes, content: bytes) -> bytes:
    check = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)
