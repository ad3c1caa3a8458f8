"""The composition root: joins core, connectors and quality.

In: settings and connections. Out: `Hub`, which faces, DAGs and plugins use.
Nothing below imports it.
"""
