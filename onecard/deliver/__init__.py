"""Deliver: hub → consumer. `select → scope → treat → gate → send → confirm`.

In: an agreement and a `DeliveryContext`. Out: what the agreement grants, a receipt, disclosures.
Nothing leaves that the privacy gate has not seen.
"""
