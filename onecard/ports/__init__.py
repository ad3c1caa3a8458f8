"""What the core asks of connectors, gates and listeners, as protocols, with fakes beside them.

In: rows as Arrow batches. Out: rows as Arrow batches, findings, confirmations.
Implemented in `connectors`, `quality` and `onecard.observe`; joined in `onecard.app`.
"""
