"""The stewards' reports: facts from the ledger, measures, pages and workbooks."""
