"""onecard-hub: the integration and control layer of the resident One-Card."""

__version__ = "0.2.0"
"""The one place of the version; pyproject.toml reads it from here."""
