"""The privacy gate: rules PR-01 to PR-30.

In: an agreement's plan, then each batch before and after treatment. Out: what may leave.
A rule that cannot be evaluated blocks.
"""
