"""Web: what the resident faces that listen have in common: a bounded server, counted refusals.

In: an application, an address. Out: a thread that serves it, with everything that comes in bounded.
"""
