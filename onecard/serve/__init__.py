"""Serve: answers calls about one person each, under agreements of mode query and verify.

In: a signed call that names operator, purpose, case and one person. Out: what the agreement grants,
or one and the same answer for everybody of whom nothing may be said; on record before it is given.
Nothing is stored for it: it reads the registry, by the SQL, treatment and gate of deliveries.
"""
