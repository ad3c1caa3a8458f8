"""Comments of a sheet: their texts, and the drawing without which no spreadsheet shows them.

The drawing is VML (ECMA-376-4, 19): a hidden box beside each cell.
"""

from __future__ import annotations

from collections.abc import Mapping

from connectors.files.sheets import column_letters
from connectors.files.xlsx_write import writable

AUTHOR = "onecard check"
"""Of the comments, by which those of an earlier copy are known again."""
_HEAD = (
    '<xml xmlns:v="urn:schemas-microsoft-com:vml" xmlns:o="urn:schemas-microsoft-com:office:office"'
    ' xmlns:x="urn:schemas-microsoft-com:office:excel"><o:shapelayout v:ext="edit">'
    '<o:idmap v:ext="edit" data="1"/></o:shapelayout><v:shapetype id="_x0000_t202"'
    ' coordsize="21600,21600" o:spt="202" path="m,l,21600r21600,l21600,xe">'
    '<v:stroke joinstyle="miter"/><v:path gradientshapeok="t" o:connecttype="rect"/></v:shapetype>'
)
_BOX = (
    '<v:shape id="_x0000_s{id}" type="#_x0000_t202" style="position:absolute;visibility:hidden;'
    'width:220pt;height:80pt" fillcolor="#ffffe1" o:insetmode="auto"><v:fill color2="#ffffe1"/>'
    '<v:path o:connecttype="none"/><v:textbox><div style="text-align:left"></div></v:textbox>'
    '<x:ClientData ObjectType="Note"><x:MoveWithCells/><x:SizeWithCells/>'
    "<x:AutoFill>False</x:AutoFill><x:Row>{row}</x:Row><x:Column>{column}</x:Column>"
    "</x:ClientData></v:shape>"
)


def comments(cells: Mapping[tuple[int, int], str], namespace: str) -> bytes:
    """The part of texts.

    Args:
        cells: text by row, from 1, and column, from 0; in their order.
        namespace: of the workbook.
    """
    found = "".join(
        f'<comment ref="{column_letters(column)}{row}" authorId="0"><text><t xml:space="preserve">'
        f"{writable(text)}</t></text></comment>"
        for (row, column), text in cells.items()
    )
    return (
        f'<comments xmlns="{namespace}"><authors><author>{AUTHOR}</author></authors>'
        f"<commentList>{found}</commentList></comments>"
    ).encode()


def drawing(cells: Mapping[tuple[int, int], str]) -> bytes:
    """The part of the boxes.

    Args:
        cells: as for `comments`.
    """
    boxes = "".join(
        _BOX.format(id=1025 + number, row=row - 1, column=column)
        for number, (row, column) in enumerate(cells)
    )
    return f"{_HEAD}{boxes}</xml>".encode()
