"""Contracts, agreements, registers and code lists as frozen models, read from strict YAML and CSV.

In: the files beside this folder. Out: models that refuse what they do not know.
A defect names file, line, field, rule and valid choices.
"""
