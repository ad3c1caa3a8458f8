"""Every command: its words, the function behind it, its line of help, which `--help` prints.

`onecard --help` reads this table and imports no command; a function's module is imported when the
command is called. Another distribution's package adds commands by a table of its own, named by an
entry point of the group `onecard.commands` (`demo/commands.py` is one).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    Attributes:
        words: how it is called, e.g. `status` or `agreements list`.
        target: `module:function` of what it does.
        help: first line of the function's docstring; a test compares them.
    """

    words: str
    target: str
    help: str

    @property
    def group(self) -> str:
        """Its group, or an empty text."""
        return self.words.rpartition(" ")[0]

    @property
    def name(self) -> str:
        """Its last word."""
        return self.words.rpartition(" ")[2]


GROUPS = {
    "db": "The hub's own database.",
    "alarms": "Alarms by e-mail or webhook.",
    "agreements": "Agreements: approvals, suspensions, stops.",
    "misuse": "Operators of callers who are suspended from single calls.",
    "init": "Beginnings: a new agency.",
    "incidents": "Blocks after rows had left (PR-28).",
    "quarantine": "Rejected rows.",
    "challenge": "Challenges of records and findings (异议与校核).",
    "audit": "The append-only audit log.",
    "expectations": "Great Expectations suites, to run without the hub.",
    "keys": "Keys of tokens, of the quarantine, of signatures.",
    "receipts": "Signed receipts of transfers, and erasures.",
}
"""Groups of commands and what they are about."""

COMMANDS = (
    Command(
        "collect",
        "onecard.cli.operate:collect",
        "Collect datasets from their agencies into the registry.",
    ),
    Command(
        "deliver",
        "onecard.cli.operate:deliver",
        "Deliver to consumers what their agreements grant and they do not have yet.",
    ),
    Command(
        "nightly",
        "onecard.cli.nightly:nightly",
        "Collect everything, deliver everything, write the reports, tell what is wrong.",
    ),
    Command(
        "live",
        "onecard.cli.live:live",
        "Run the event lane until it is told to stop: what comes is delivered within seconds.",
    ),
    Command(
        "serve",
        "onecard.cli.serve:serve",
        "Answer signed calls about one person each, on record before they are answered.",
    ),
    Command(
        "ingest",
        "onecard.cli.ingest:ingest",
        "Take what agencies bring themselves, judged at once, for the collects of their datasets.",
    ),
    Command(
        "bring",
        "onecard.cli.bring:bring",
        "Bring a file to the door of `onecard ingest`, and show what the gate says of its rows.",
    ),
    Command(
        "ask",
        "onecard.cli.ask:ask",
        "Ask about one person (read from standard input), or say what is wrong with a kept call.",
    ),
    Command(
        "lint",
        "onecard.cli.lint:lint",
        "Check every YAML file; names file, line, field, rule and the valid choices.",
    ),
    Command(
        "check",
        "onecard.cli.check:check",
        "Run a dataset's gate on a local file; no database, nothing is stored, no value is"
        " printed.",
    ),
    Command(
        "discover",
        "onecard.cli.discover:discover",
        "Propose a contract from the source itself, or list what it holds; no value is ever shown.",
    ),
    Command(
        "init agency",
        "onecard.cli.init_agency:agency",
        "Add an agency: its line, its connection as an example, contracts and an agreement to"
        " check.",
    ),
    Command(
        "preview",
        "onecard.cli.preview:preview",
        "Show what would leave now under an agreement, after scope and treatment; sends nothing.",
    ),
    Command(
        "status",
        "onecard.cli.status:status",
        "What needs a person, how fast events reach their consumers, and the newest transfers.",
    ),
    Command(
        "drift",
        "onecard.cli.drift:drift",
        "Compare the sources' present columns with the contracts; exit 1 when a night would fail.",
    ),
    Command(
        "doctor",
        "onecard.cli.doctor:doctor",
        "Check database, migrations, connections, keys, clock, disk; each line says what to do.",
    ),
    Command(
        "release",
        "onecard.cli.release:release",
        "Let a held transfer pass: a collect is published at once, a delivery with its next run.",
    ),
    Command(
        "reconcile",
        "onecard.cli.reconcile:reconcile",
        "Compare a dataset with its source, or an inbox with its agreement, and heal it.",
    ),
    Command(
        "housekeeping",
        "onecard.cli.housekeeping:housekeeping",
        "Drop what was kept long enough, fold, verify the audit log; exit 1 if it was changed.",
    ),
    Command(
        "disclosures",
        "onecard.cli.persons:disclosed",
        "Who received one person's data, when, for which purpose and on which basis.",
    ),
    Command(
        "report",
        "onecard.cli.stewards:report",
        "Write agencies' reports: HTML pages, the problem list as a workbook, and PDF by Chromium.",
    ),
    Command(
        "db upgrade",
        "onecard.cli.db:upgrade",
        "Bring the hub's database to this version's revision.",
    ),
    Command(
        "alarms send",
        "onecard.cli.alarms:send",
        "Tell each channel of ONECARD_ALARMS what is new to it and what is over; news of tickets.",
    ),
    Command(
        "agreements list",
        "onecard.cli.agreements:list_all",
        "All agreements and where they stand today.",
    ),
    Command(
        "agreements show",
        "onecard.cli.agreements:show",
        "One agreement: what may leave, on which basis, and its life.",
    ),
    Command(
        "agreements approve",
        "onecard.cli.agreements:approve",
        "Record that the agreement's present text is approved.",
    ),
    Command(
        "agreements withdraw",
        "onecard.cli.agreements:withdraw",
        "Take back the first of two approvals, before a second person has approved as well.",
    ),
    Command(
        "agreements suspend",
        "onecard.cli.agreements:suspend",
        "Suspend an agreement; only a new approval ends it.",
    ),
    Command(
        "agreements diff",
        "onecard.cli.agreements:diff",
        "What would newly flow compared with the approved text.",
    ),
    Command(
        "agreements stop",
        "onecard.cli.agreements:stop",
        "Stop deliveries at once, also those that are under way.",
    ),
    Command("agreements start", "onecard.cli.agreements:start", "Let deliveries go on again."),
    Command(
        "agreements page",
        "onecard.cli.applications:page",
        "Write the public list of applications (应用项目清单, article 7) as a page.",
    ),
    Command(
        "agreements delay",
        "onecard.cli.delays:delay",
        "Tell residents of a case's calls only from a day on, on a basis in law; audited.",
    ),
    Command(
        "misuse list",
        "onecard.cli.misuse:list_open",
        "Operators of callers who are suspended now, by which rule of misuse.yaml, and until when.",
    ),
    Command(
        "misuse lift",
        "onecard.cli.misuse:lift",
        "Let a suspended operator ask again, before the suspension ends; audited.",
    ),
    Command(
        "incidents list",
        "onecard.cli.agreements:incidents_list",
        "Open incidents: a rule blocked, and earlier rows of the agreement had left.",
    ),
    Command(
        "incidents close",
        "onecard.cli.agreements:incidents_close",
        "Close an incident after it was handled; audited.",
    ),
    Command(
        "quarantine list",
        "onecard.cli.quarantine:list_all",
        "List rejected rows, newest first: where they stood and why; no values.",
    ),
    Command(
        "quarantine show",
        "onecard.cli.quarantine:show",
        "Show one rejected row, its values masked; `--reveal` shows them and is audited.",
    ),
    Command(
        "quarantine release",
        "onecard.cli.replay:release",
        "Deliver a row that the free-text scan held back: a person vouches for it.",
    ),
    Command(
        "quarantine replay",
        "onecard.cli.replay:replay",
        "Check rows again under the contract and agreement in force now; exit 1 if one fails.",
    ),
    Command(
        "quarantine purge",
        "onecard.cli.quarantine:purge",
        "Drop the values of all rows whose time to live is over.",
    ),
    Command(
        "quarantine hand-back",
        "onecard.cli.hand_back:hand_back",
        "Send an agency's own rejected rows back to it, as its `handback` block says.",
    ),
    Command(
        "challenge open",
        "onecard.cli.challenge:open_",
        "Open a challenge; the providing agency must answer it in working days.",
    ),
    Command(
        "challenge list",
        "onecard.cli.challenge:list_all",
        "List challenges, those due first on top.",
    ),
    Command(
        "challenge show",
        "onecard.cli.challenge:show",
        "Show one challenge and what happened to it.",
    ),
    Command(
        "challenge acknowledge",
        "onecard.cli.challenge:acknowledge",
        "Say that the agency has read the challenge.",
    ),
    Command(
        "challenge answer", "onecard.cli.challenge:answer", "Answer a challenge for the agency."
    ),
    Command(
        "challenge close",
        "onecard.cli.challenge:close",
        "Close a challenge, by the collect that saw the correction or for a reason.",
    ),
    Command(
        "challenge review",
        "onecard.cli.challenge:review",
        "Note which corrections the collects since have seen.",
    ),
    Command(
        "audit verify",
        "onecard.cli.audit:verify",
        "Verify every entry against tree, checkpoints and anchor; names the first bad one.",
    ),
    Command(
        "audit export",
        "onecard.cli.audit:export",
        "Write entries, checkpoints and public keys, for a verifier without our code.",
    ),
    Command("audit list", "onecard.cli.audit:list_newest", "The newest entries."),
    Command(
        "expectations export",
        "onecard.cli.expectations:export",
        "Write suites, custom expectations and a README: a folder that needs only GX.",
    ),
    Command(
        "expectations list",
        "onecard.cli.expectations:list_suite",
        "List a dataset's expectations: field, rule, severity, kind, expectation.",
    ),
    Command(
        "keys init",
        "onecard.cli.keys:init",
        "Make the key file: a token key for each consumer, the quarantine key, the signing key.",
    ),
    Command(
        "keys list",
        "onecard.cli.keys:list_keys",
        "Show purposes, epochs and their dates; no secrets.",
    ),
    Command(
        "keys add",
        "onecard.cli.keys:add",
        "Make the first key of who came later: of its tokens, its own bad rows, its calls.",
    ),
    Command(
        "keys rotate",
        "onecard.cli.keys:rotate",
        "Make a new current key of a purpose; the old one stays for a window, then for look-ups.",
    ),
    Command(
        "keys pair",
        "onecard.cli.keys:pair",
        "Make a consumer's key pair for sealed deliveries: for rehearsals, and for consumers.",
    ),
    Command(
        "keys accept",
        "onecard.cli.keys:accept",
        "Seal for this public key of a consumer from now on, and never again for the one before.",
    ),
    Command(
        "receipts list",
        "onecard.cli.persons:receipt_list",
        "The newest receipts, and whether their signatures hold.",
    ),
    Command(
        "receipts show",
        "onecard.cli.persons:receipt_show",
        "One receipt as it was signed, and whether its signature holds.",
    ),
    Command(
        "receipts verify",
        "onecard.cli.receipt_verify:receipt_verify",
        "Verify a receipt or a manifest that somebody holds: signature, ledger, audit log.",
    ),
    Command(
        "receipts expired",
        "onecard.cli.persons:receipt_expired",
        "The newest receipts of what the hub dropped after three years, and whether they hold.",
    ),
    Command(
        "receipts erased",
        "onecard.cli.persons:receipt_erased",
        "Record a consumer's confirmation that it erased a delivery (PR-17).",
    ),
)
