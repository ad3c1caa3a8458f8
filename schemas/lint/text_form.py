"""Forms of text that a contract declares, against the types and roles of its fields."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.models.contract import Contract, Field

NUMBERS = ("number", "integer")


def complaints(contract: Contract, field: Field) -> Iterator[str]:
    """What is wrong with the form of one field's text, with the valid choices.

    Args:
        contract: of the field.
        field: one of its fields.
    """
    form = contract.text_form(field)
    own = field.text.model_fields_set if field.text else frozenset[str]()
    if form.clashes:
        yield f"decimal and thousands are both {form.decimal!r}: say both at the field"
    if "decimal" in own and field.type != "number":
        yield f"only a number has decimals; this is a {field.type}"
    if "thousands" in own and field.type not in NUMBERS:
        yield f"only a number or an integer has thousands; this is a {field.type}"
    meant = sorted(set(form.null) & set(field.allowed))
    if meant:
        yield f"null token {', '.join(meant)} is a code of its list: say `text: {{null: []}}`"
    if contract.source.connector == "sql" and form.trim and _guides(contract, field):
        yield (
            "a key, cursor or sequence is compared inside the source's database as it stands "
            "there: say `text: {trim: false}` here, and trim it in a view"
        )


def _guides(contract: Contract, field: Field) -> bool:
    return field.name in (*contract.key, contract.source.cursor, contract.sequence)
