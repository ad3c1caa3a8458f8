"""From calls that came together to their replies: admit, look, record."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import partial
from typing import TYPE_CHECKING, Protocol

from onecard.base.connections import Connection as System
from onecard.crypto.keys import Key
from onecard.daemon.codes import Code
from onecard.daemon.watcher import WatchedDesk
from onecard.errors import OnecardError
from onecard.ports.privacy_gate import Plan, PrivacyBlock, PrivacyGate, Query
from onecard.serve import admission, codes
from onecard.serve.calls import Call
from onecard.serve.case import Case, Reply
from onecard.serve.compiled import Compiled
from onecard.serve.keyring import Keyring
from onecard.serve.looking import Look
from onecard.serve.recording import Recorder
from onecard.store import months, persons, questions
from onecard.store.database import Connection
from onecard.store.persons import DatasetState
from onecard.store.together import one_state, together

if TYPE_CHECKING:
    from onecard.deliver.treatment import Tokeniser

log = logging.getLogger(__name__)


class ServeDesk(WatchedDesk, Protocol):
    """What the service needs of the hub."""

    def privacy_gate(self, plan: Plan) -> PrivacyGate:
        """The privacy gate, with what its rules decide by."""


class Answering:
    """Answers groups of calls; may be used from several threads, each with its own session.

    Args:
        desk: the hub.
        keys: gives keys as they are now; None: nobody is answered.
        sound: whether the audit log takes entries.
        indexed: whether the indexes of an agreement are there.
    """

    def __init__(
        self,
        desk: ServeDesk,
        keys: Callable[[], Keyring | None],
        sound: Callable[[], bool],
        indexed: Callable[[Compiled], bool],
    ) -> None:
        self._desk, self._keys, self._sound, self._indexed = desk, keys, sound, indexed
        self._known: dict[str, Compiled] = {}
        self._broken: dict[str, date] = {}
        self._months: set[date] = set()

    def asked_under(self) -> list[Compiled]:
        """The agreements of today under which one may ask."""
        day = self._desk.settings.now().date()
        found = (self._compiled(name, day) for name in sorted(self._desk.catalogue.agreements))
        return [compiled for compiled in found if compiled is not None]

    def answer(self, connection: Connection, calls: Sequence[Call]) -> list[Reply]:
        """The replies to calls, in their order; what is answered is on record.

        Args:
            connection: of the hub's database, without an open transaction.
            calls: at least one; their signatures are right.

        Raises:
            OnecardError, psycopg.Error: nobody is answered.
        """
        cases, keys = [Case(call) for call in calls], self._keys()
        if keys is None:
            return [Reply(codes.UNAVAILABLE) for _ in cases]
        for case in cases:
            if case.call.system.sandbox:  # it asks for nobody who lives
                case.refuse(codes.NO_AGREEMENT)
        _take_once(cases)
        now = self._desk.settings.now()
        self._admit(connection, [c for c in cases if c.open], keys, now)
        states = self._look(connection, [c for c in cases if c.open], keys, now)
        judged = [c for c in cases if c.open]
        if judged:
            actor = self._desk.settings.actor
            self._make_month(connection, months.first_of(now.date()))
            recorder = Recorder(self._desk.suite, keys, actor, now, states)
            recorder.record(connection, judged)
        return [case.reply or Reply(codes.UNAVAILABLE) for case in cases]

    def _make_month(self, connection: Connection, month: date) -> None:
        """Make the table of a month before its first call is recorded."""
        if month not in self._months:
            questions.make_month(connection, month)
            self._months.add(month)

    def _admit(
        self, connection: Connection, cases: Sequence[Case], keys: Keyring, now: datetime
    ) -> None:
        """Everything that is looked at before the registry is, with one wait for the database.

        Bodies are read before it is known where agreements stand; what is said first is said first.
        """
        for case in cases:
            case.compiled = self._compiled(case.call.agreement, now.date())
            if case.compiled is None or not admission.is_own(case.call, case.compiled):
                case.refuse(codes.NO_AGREEMENT)
        own = [case for case in cases if case.open]
        if not own:
            return
        wrong = {id(case): self._read(case, keys, now) for case in own}
        asking = [case for case in own if wrong[id(case)] is None]
        under = {c.under.agreement.id: c.under for c in own}
        with together(connection):
            lives = admission.ask_lives(connection, list(under.values()))
            counted = admission.ask_counts(connection, asking, now) if asking else None
        found = lives.on(now.date())
        for case in own:
            case.life = found[case.under.agreement.id]
            code = admission.closed(case.call, case.under, case.life) or wrong[id(case)]
            if code is not None:
                case.refuse(code)
        if counted is not None:
            admission.ration([case for case in asking if case.open], counted)

    def _read(self, case: Case, keys: Keyring, now: datetime) -> Code | None:
        """Give a case its question, and what it is known and counted by; or why it has none."""
        found = admission.read(case.call, case.under)
        if isinstance(found, Code):
            return found
        consumer = case.under.agreement.consumer
        if consumer not in keys.consumers:
            log.error("%s: no token key of %s: nobody is answered", case.call.agreement, consumer)
            return codes.UNAVAILABLE
        case.question = found
        case.identify(self._desk.suite, keys.consumers[consumer][0])
        case.count(now)
        return None

    def _compiled(self, name: str, day: date) -> Compiled | None:
        """The agreement of a name, as of a day; None: there is none under which one may ask."""
        catalogue = self._desk.catalogue
        agreement = catalogue.agreements.get(name)
        if agreement is None or not agreement.asked:
            return None
        known = self._known.get(name)
        if known is not None and known.today == day:
            return known
        people = catalogue.registers.people
        read = {*agreement.datasets, people.cards, people.deaths}
        try:
            contracts = {dataset: catalogue.contract(dataset) for dataset in sorted(read)}
        except OnecardError as error:  # a broken file takes its own agreements out, and no other
            if self._broken.get(name) != day:  # said once a day, not at each look
                log.error("%s: %s: nobody is answered", name, error)  # noqa: TRY400 - it says all
            self._broken[name] = day
            return None
        made = self._known[name] = Compiled(agreement, contracts, people, day)
        return made

    def _look(
        self, connection: Connection, cases: Sequence[Case], keys: Keyring, now: datetime
    ) -> Mapping[str, DatasetState]:
        """Ask the registry, of which all cases see one state."""
        if not cases:
            return {}
        datasets = sorted({d for case in cases for d in case.under.datasets})
        groups = []
        for group in _grouped(cases):
            if self._indexed(group[0].under):
                groups.append(group)
            else:
                why = "not collected yet, or its indexes are being made"
                _refuse(group, codes.UNAVAILABLE, why)
        if not groups:
            return {}
        looks = [self._look_of(group, keys, now) for group in groups]
        with one_state(connection):
            asked = persons.ask_states(connection, datasets)
            rows = [look.ask(connection, group) for look, group in zip(looks, groups, strict=True)]
        states = {state.dataset: state for state in asked.all()}
        for look, group, found in zip(looks, groups, rows, strict=True):
            if not states.keys() >= set(group[0].under.datasets):  # it went since it was indexed
                _refuse(group, codes.UNAVAILABLE, "a dataset of it is not collected any more")
                continue
            try:
                look.judge(found, group)
            except PrivacyBlock as block:
                _refuse(group, codes.BLOCKED, str(block))
        return states

    def _look_of(self, group: Sequence[Case], keys: Keyring, now: datetime) -> Look:
        """A look at persons under one agreement, for one caller's machine."""
        gate = partial(self._gate, keys=keys, now=now)
        return Look(group[0].under, gate, self._tokeniser(group[0].token_key))

    def _gate(self, cases: Sequence[Case], keys: Keyring, now: datetime) -> PrivacyGate:
        """An open privacy gate for cases of one agreement and one caller's machine.

        Raises:
            PrivacyBlock: a rule about the agreement blocks.
        """
        first, catalogue, suite = cases[0], self._desk.catalogue, self._desk.suite
        call = first.call
        hour = first.under.asking.quotas["operator"].hour
        plan = Plan(
            agreement=first.under.agreement,
            contracts=first.under.contracts,
            agencies=catalogue.agencies,
            registers=catalogue.registers,
            now=now,
            life=first.life,
            destination=System(
                id=call.sid, conn_type="https" if call.secure else "http", host=call.host
            ),
            token_keys=keys.current(),
            digests=lambda key, values: suite.digests(key.secret, values),
            auditable=self._sound(),
            signable=bool(keys.signer.epoch),
            queries=tuple(
                Query(1, c.asked.operator, c.asked.case, c.calls_this_hour, hour) for c in cases
            ),
        )
        gate = self._desk.privacy_gate(plan)
        gate.open()
        return gate

    def _tokeniser(self, key: Key) -> Tokeniser:
        from onecard.deliver.treatment import Tokeniser  # noqa: PLC0415 - Polars only where rows flow

        return Tokeniser(self._desk.suite, key)


def _take_once(cases: Iterable[Case]) -> None:
    """Of one signed call that came twice in one group, the second is a replay."""
    seen: set[tuple[str, str]] = set()
    for case in cases:
        name = case.call.sid, case.call.rid
        if name in seen and case.open:
            case.refuse(codes.REPLAYED)
        seen.add(name)


def _grouped(cases: Sequence[Case]) -> list[list[Case]]:
    """Cases that are looked at together: of one agreement, one caller and its machine."""
    found: dict[tuple[str, str, str, bool], list[Case]] = {}
    for case in cases:
        call = case.call
        name = call.agreement, call.sid, call.host, call.secure
        found.setdefault(name, []).append(case)
    return list(found.values())


def _refuse(cases: Sequence[Case], code: Code, why: str) -> None:
    log.error("%s: %s", cases[0].call.agreement, why)
    for case in cases:
        case.refuse(code)
