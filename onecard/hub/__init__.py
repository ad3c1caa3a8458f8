"""The hub's own store: database, ledger, registry, staging, quarantine."""
