"""The privacy gate: rules PR-01 to PR-30."""
