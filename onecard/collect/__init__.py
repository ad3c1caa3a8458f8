"""Collect: agency → hub. `read → gate → stage → audit → publish`.

In: a contract and a `CollectContext`. Out: published rows, rejected rows, a receipt, a watermark.
Knows neither connectors nor checks, only their ports.
"""
