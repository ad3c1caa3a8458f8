"""Live: collects and deliveries of the event lane as soon as there is something to move.

In: wake-ups (a call, a notification, a look at the source), the catalogue, leases. Out: the very
transfers of the night, each under a lease that the transaction itself asks for.
"""
