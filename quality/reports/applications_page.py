"""The public list of applications (应用项目清单, order 249 article 7): who may have what, and why.

One self-contained page without personal data, made of agreements and registers only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from quality.reports.night_report import TEMPLATES


@dataclass(frozen=True, slots=True)
class Application:
    """One agreement as the public reads it."""

    id: str
    title: str
    version: str
    state: str
    dataset: str
    provider: str
    consumer: str
    purpose: str
    project: str
    basis: str
    fields: Sequence[str]
    scope: str
    retention_days: int
    valid_to: date


@dataclass(frozen=True, slots=True)
class ApplicationList:
    """The whole list."""

    version: str
    published: date
    made: date
    purposes: Mapping[str, Sequence[Application]]


def render(found: ApplicationList) -> str:
    """The page as HTML."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("applications.html.j2").render(r=found)
