"""Transfers that say in the log when each of their steps starts and how it ended."""

from __future__ import annotations

from dataclasses import asdict

from onecard.base import logs
from onecard.collect.run import Collect, Collected
from onecard.deliver.run import Deliver, Delivered, Replay


class ToldCollect(Collect):
    """A collect; the ledger notes transfer and counts on the way."""

    def stage(self, *, whole: bool = False) -> int:
        """As in Collect."""
        with logs.step("collect.stage", **self._about):
            return super().stage(whole=whole)

    def audit(self, transfer: int) -> None:
        """As in Collect."""
        with logs.step("collect.audit", **self._about, transfer=transfer):
            super().audit(transfer)

    def publish(self, transfer: int) -> Collected:
        """As in Collect."""
        with logs.step("collect.publish", **self._about, transfer=transfer):
            done = super().publish(transfer)
            logs.note(counts=asdict(done.counts))
            return done

    @property
    def _about(self) -> dict[str, str]:
        return {"dataset": self._contract.id, "actor": self._tools.settings.actor}


class ToldDeliver(Deliver):
    """A delivery; the ledger notes its transfer."""

    def run(self, replay: Replay | None = None) -> Delivered:
        """As in Deliver."""
        about = {"agreement": self._agreement.id, "actor": self._tools.settings.actor}
        with logs.step("deliver", **about):
            done = super().run(replay)
            names = ("rows", "parts", "already", "quarantined", "withheld")
            logs.note(counts={name: getattr(done, name) for name in names})
            return done
