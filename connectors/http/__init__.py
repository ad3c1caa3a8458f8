"""HTTP: calls and pages, as the kinds of systems behind it share them.

In: a connection, how its calls are made, how its pages follow each other. Out: replies; pages of
rows. Knows neither JSON nor XML but as what a kind makes of a reply.
"""
