"""The stewards' reports: facts from the ledger, measures, pages and workbooks.

In: the ledger's counts and findings, the catalogue, the scheme of the score (`scheme.yaml`).
Out: HTML pages and XLSX lists, in Chinese and English. Counts, rules and references, never a value.
"""
