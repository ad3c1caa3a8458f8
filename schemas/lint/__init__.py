"""`onecard lint`: everything that can be wrong with the YAML, found before it runs.

In: a folder of contracts and agreements. Out: problems by file and line.
Needs no database and no network.
"""
