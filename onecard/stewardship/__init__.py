"""What stewards do: challenges, differences of agreements, look-ups of disclosures.

In: what a person asks or answers. Out: tickets, sentences, lists; each look-up is audited.
No face: the command line and the portal call it.
"""
