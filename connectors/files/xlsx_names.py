"""Names of elements and relations in XLSX workbooks (ECMA-376, ISO/IEC 29500)."""

from __future__ import annotations

from connectors.common import xml_stream

MAIN = (
    "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
    "http://purl.oclc.org/ooxml/spreadsheetml/main",
)
"""The namespace of sheets, transitional and strict (ECMA-376-4, ISO/IEC 29500-1)."""
RELATED = (
    "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
    "http://purl.oclc.org/ooxml/officeDocument/relationships",
)
"""The same of the relations between its parts."""


def names(*kinds: str) -> dict[str, str]:
    """Elements of the main namespace as expat calls them, and their own names.

    Args:
        kinds: their names.
    """
    return {f"{uri}{xml_stream.SEPARATOR}{kind}": kind for uri in MAIN for kind in kinds}
