"""A foreign error leaves as type and place, never with its text."""

from __future__ import annotations

from onecard.errors import ConfigError, InternalError, as_onecard_error


def test_a_foreign_error_loses_its_text() -> None:
    try:
        int("410199194901010014X")
    except ValueError as error:
        found = as_onecard_error(error)
    assert isinstance(found, InternalError)
    assert "410199" not in str(found)
    assert "ValueError in test_errors.py:" in str(found)


def test_our_own_errors_stay_as_they_are() -> None:
    error = ConfigError("unknown dataset")
    assert as_onecard_error(error) is error
