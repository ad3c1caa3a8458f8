"""onecard-hub: the integration and control layer of the resident One-Card."""

__version__ = "0.1.0"
