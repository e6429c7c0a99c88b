"""What is shipped works without this checkout and without the developers' tools."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SHIPPED = ("logstore", "sql", "pyproject.toml", "README.md", "LICENSE")
OURS = ("LOGSTORE_", "COVERAGE_", "PYTHON")  # variables that would reach from here into there
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}


Done = subprocess.CompletedProcess[str]


def run(folder: Path, *command: str | Path) -> Done:
    return subprocess.run(command, cwd=folder, env=CLEAN, capture_output=True, text=True, check=False)


def pip(python: str | Path, folder: Path, *arguments: str | Path) -> Done:
    return run(folder, python, "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the tree."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in SHIPPED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder)
    how = ("--no-deps", "--no-build-isolation", "--wheel-dir", "dist")
    built = pip(sys.executable, folder, "wheel", *how, ".")
    assert built.returncode == 0, built.stderr
    (path,) = (folder / "dist").glob("logstore-*.whl")
    return path


def test_the_wheel_holds_the_sql_byte_for_byte_and_the_types(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        shipped = {name: archive.read(name) for name in names if name.startswith("logstore/sql/")}
    files = [path for path in (ROOT / "sql").rglob("*") if path.is_file()]
    assert shipped == {f"logstore/{path.relative_to(ROOT)}": path.read_bytes() for path in files}
    assert "logstore/py.typed" in names


def test_the_wheel_works_alone(wheel: Path, tmp_path: Path) -> None:
    """In a fresh environment, with nothing but its own dependencies."""
    python = tmp_path / "venv/bin/python"
    made = run(tmp_path, sys.executable, "-m", "venv", "venv")
    assert made.returncode == 0, made.stderr
    installed = pip(python, tmp_path, "install", wheel)
    if installed.returncode and pip(python, tmp_path, "index", "versions", "apsw").returncode:
        pytest.skip("NO PACKAGE REGISTRY IN REACH: the wheel was built but not run")
    assert installed.returncode == 0, installed.stderr

    empty = tmp_path / "empty"
    empty.mkdir()
    logstore = python.with_name("logstore")
    answers = [
        run(empty, logstore, "--help"),
        run(empty, python, "-m", "logstore", "--help"),
        run(empty, logstore, "--db", "x.db", "log", "hello"),
        run(empty, logstore, "--db", "x.db", "query"),
    ]
    for answer in answers:
        assert (answer.returncode, answer.stderr) == (0, ""), answer
    assert "hello" in answers[-1].stdout
