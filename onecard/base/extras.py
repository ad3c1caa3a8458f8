"""Packages that not every installation has: the extras of pyproject.toml."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from onecard.errors import ConfigError


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Around the imports of what an extra brings: says which one to install when it is missing.

    Raises:
        ConfigError: a package of the extra is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        msg = f"{error.name} is not installed; it comes with `pip install 'onecard-hub[{name}]'`"
        raise ConfigError(msg) from error
