"""What a run took: pipes that fail, CPU seconds of the client, figures that are not known."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench import measure
from bench.measure import Used

BUSY = "import time\nwhile time.process_time() < 0.4: pass"


def python(text: str) -> list[str]:
    return [sys.executable, "-c", text]


def test_a_pipe_hands_on_its_output_and_is_measured() -> None:
    check = "import sys; sys.exit(sys.stdin.read() != 'rows')"
    done = measure.run(python("print('rows', end='')"), python(check))
    assert done.seconds > 0
    assert done.megabytes > 1
    assert done.server is None, "no server was named"


@pytest.mark.case("people-27", "a part of a pipe that fails is named: nothing is hidden")
@pytest.mark.parametrize("broken", [0, 1, 2])
def test_a_pipe_fails_with_any_of_its_parts(broken: int) -> None:
    parts = [python("import sys; sys.stdin.read()") for _ in range(3)]
    parts[0] = python("pass")
    parts[broken] = python("import sys; sys.exit('version 18 is newer than 15')")
    with pytest.raises(RuntimeError, match=r"python\S*: exit 1: .*version 18 is newer"):
        measure.run(*parts)


def test_what_follows_a_pipe_is_measured_with_it() -> None:
    alone = measure.run(python("pass"))
    both = measure.run(python("pass"), then=[python(BUSY)])
    assert both.client >= alone.client / 2 + 0.4
    assert both.seconds >= 0.4


def test_nothing_follows_a_pipe_that_failed(tmp_path: Path) -> None:
    mark = tmp_path / "began"
    with pytest.raises(RuntimeError, match="exit 1"):
        measure.run(python("import sys; sys.exit(1)"), then=[["touch", str(mark)]])
    assert not mark.exists()


def test_what_follows_a_pipe_must_succeed() -> None:
    with pytest.raises(RuntimeError, match="exit 3"):
        measure.run(python("pass"), then=[python("import sys; sys.exit(3)")])


def test_a_program_that_is_not_there_fails() -> None:
    with pytest.raises(RuntimeError, match="no-such-program"):
        measure.run(["no-such-program"])


def test_an_output_that_is_cut_within_a_character_is_no_failure() -> None:
    measure.run(python("print('卡' * 2000 + 'x', end='')"))


def test_environment_reaches_the_command() -> None:
    check = "import os, sys; sys.exit(os.environ['ONECARD_X'] != 'y')"
    measure.run(python(check), environment={"ONECARD_X": "y"})


def test_a_block_counts_its_own_and_its_children_s_seconds() -> None:
    with measure.meter() as used:
        measure.run(python(BUSY))
    assert used.client >= 0.4
    assert used.seconds >= 0.4
    assert used.cpu == used.client


def test_the_typical_run_is_the_median_of_each_figure() -> None:
    runs = [Used(3.0, 1.0, 9.0), Used(1.0, 3.0, 8.0), Used(2.0, 2.0, None)]
    assert measure.typical(runs) == Used(2.0, 2.0, 8.5)
    assert measure.typical([Used(1.0, 2.0)]) == Used(1.0, 2.0, None)


@pytest.mark.parametrize(
    ("figure", "digits", "cell"), [(None, 1, "unknown"), (1234.56, 1, "1,234.6"), (0.5, 2, "0.50")]
)
def test_a_figure_that_is_not_known_says_so(figure: float | None, digits: int, cell: str) -> None:
    assert measure.cell(figure, digits) == cell
