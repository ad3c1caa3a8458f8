"""Builds the library of onecard/native: `.venv/bin/python tools/build_native.py` does it in place.

setuptools runs the same for a wheel and for an editable installation (pyproject.toml names the two
commands below). The compiler is $CC, else the machine's `cc`, else the one that the package
`ziglang` brings. Where none is to be had everything is installed without the library: the hub then
takes its plain paths.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import ModuleType

from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError
from setuptools.extension import Extension

ROOM = Path(__file__).resolve().parents[1] / "onecard" / "native"
FLAGS = ("-O3", "-std=c11", "-fPIC", "-shared", "-fvisibility=hidden", "-Wall", "-Wextra")
"""Portable: for every processor of the architecture, not only for the builder's."""


def _sources() -> ModuleType:
    """onecard/native/sources.py, without its packages: they need what is not installed yet."""
    spec = importlib.util.spec_from_file_location("native_sources", ROOM / "sources.py")
    if spec is None or spec.loader is None:
        msg = f"{ROOM} has no sources.py"
        raise CompileError(msg)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def compiler() -> list[str]:
    """The command of a C compiler; empty where there is none."""
    if named := shlex.split(os.environ.get("CC", "")):
        return named
    if found := shutil.which("cc"):
        return [found]
    if importlib.util.find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang", "cc", "-mcpu=baseline"]  # its default is this one
    return []


def build(target: Path, *options: str) -> None:
    """Compile all sources into one shared library.

    Args:
        target: the file; it is replaced at once, so a process that has it open keeps its own.
        options: further ones for the compiler.

    Raises:
        CompileError: there is no compiler, or it fails.
    """
    command, room = compiler(), _sources()
    if not command:
        msg = "no C compiler: neither cc nor the package ziglang"
        raise CompileError(msg)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        draft = Path(folder) / target.name
        defined = f'-DONECARD_DIGEST="{room.digest(ROOM)}"'
        files = [str(file) for file in room.found(ROOM) if file.suffix == ".c"]
        try:
            subprocess.run([*command, *FLAGS, *options, defined, *files, "-o", draft], check=True)  # noqa: S603
        except (OSError, subprocess.CalledProcessError) as error:
            msg = f"{command[0]} does not compile onecard/native"
            raise CompileError(msg) from error
        draft.replace(target)


class BuildLibrary(build_ext):
    """setuptools' command: a library of plain C, under one name for every Python."""

    def get_ext_filename(self, fullname: str) -> str:
        """The library's path in the package: no ABI of Python in its name."""
        return str(Path(*fullname.split("."))) + ".so"

    def build_extension(self, ext: Extension) -> None:
        """Compile it; the extension is optional, so that an error here is only said."""
        build(Path(self.get_ext_fullpath(ext.name)))


class PlatformWheel(bdist_wheel):
    """A wheel for one platform and every Python that the project takes."""

    def get_tag(self) -> tuple[str, str, str]:
        """Python, ABI and platform."""
        return "py3", "none", super().get_tag()[2]


def main() -> int:
    """Build in place; without a compiler only say so."""
    try:
        build(_sources().LIBRARY)
    except CompileError as error:
        print(f"{error}: the hub takes its plain paths", file=sys.stderr)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
