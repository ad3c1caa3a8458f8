"""Daemon: what processes that stay have in common: a bounded server, the catalogue read anew.

In: an application and an address; a folder that somebody may edit. Out: a thread that serves, a hub
made anew when its texts have changed, failures and refusals said once.
"""
