"""One line for each transfer that a command ran."""

from __future__ import annotations

from onecard.cli import output
from onecard.collect.publish import Collected
from onecard.deliver.context import Delivered


class Lines:
    """Prints one line per finished transfer, or collects them for JSON."""

    def __init__(self, *, as_json: bool) -> None:
        self._json = as_json
        self._done: list[dict[str, object]] = []

    def note(self, subject: str, result: object) -> None:
        """Take one result: Collected, Delivered or an error."""
        line: dict[str, object] = {"subject": subject}
        if isinstance(result, Collected):
            c = result.counts
            line |= {name: getattr(c, name) for name in type(c).__slots__}
            text = (
                f"read {c.rows_read:,}, published {c.published:,}, unchanged {c.unchanged:,}, "
                f"quarantined {c.quarantined:,}, deduplicated {c.deduplicated:,}"
            )
        elif isinstance(result, Delivered):
            names = ("rows", "parts", "already", "deleted")
            line |= {name: getattr(result, name) for name in names}
            text = f"delivered {result.rows:,}" if result.transfer else "nothing due"
            text += f", deletes {result.deleted:,}" if result.deleted else ""
            line |= {"remarks": list(result.remarks)} if result.remarks else {}
            text += "".join(f"; {remark}" for remark in result.remarks)
        else:
            line |= {"error": str(result), "kind": type(result).__name__}
            text = f"{type(result).__name__}: {result}"
        self._done.append(line)
        if not self._json:
            output.say(f"{subject}: {text}")

    def close(self, more: dict[str, object] | None = None) -> None:
        """Print the JSON, when that was asked for."""
        if self._json:
            output.emit({"transfers": self._done, **(more or {})})
        elif more:
            output.say("\n".join(f"{name}: {value}" for name, value in more.items()))
