"""The SQL that the hub runs: migrations of ledger and quarantine."""
