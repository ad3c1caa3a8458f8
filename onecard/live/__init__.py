"""Live: the resident lane that runs the transfers of the event lane as soon as there is news.

In: signed wake-ups of agencies, which carry no data. Out: wake-ups of the lane, and whether it is
alive and ready.
"""
