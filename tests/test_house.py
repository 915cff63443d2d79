"""The house itself: sizes, signs on the doors, words that are not used, and documents that keep up.

Who may import whom is checked by import-linter (`make house`), from the contracts in pyproject.toml.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pydantic_settings import BaseSettings
from typer.main import get_command

from service import settings
from service.cli import app

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
ROOMS: list[str] = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]

LONGEST_FILE = 400
LONGEST_FUNCTION = 50
BANNED_NAMES = {"utils", "core", "common", "helpers"}
MOST_NAMES_OFFERED = 8
UNTRACKED = {
    ".git",
    ".venv",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    ".import_linter_cache",
    ".hypothesis",
}

# Grouped, so that this file does not find itself.
REGISTRY_WORDS = re.compile(
    r"py(?:pi)\.org|python(?:hosted)\.org|registry(?:\.npmjs|\.yarnpkg)"
    r"|--(?:extra-)?index(?:-url)[ =]h|--find(?:-links)|--trusted(?:-host)"
)
MACHINE_PATHS = re.compile(r"(?<![\w.~/:-])/(?:home|root|Users|work|workspace)/[\w.-]+")


@cache
def tracked_files() -> tuple[Path, ...]:
    """What is, or is about to be, under version control; without git, what looks as if it were."""
    names = _listed_by_git() or [str(path.relative_to(ROOT)) for path in ROOT.rglob("*")]
    return tuple(
        path
        for name in sorted(names)
        if not UNTRACKED & set(Path(name).parts) and (path := ROOT / name).is_file()
    )


def _listed_by_git() -> list[str]:
    """Empty where there is no git, or where it does not trust this folder (a checkout of another user)."""
    if shutil.which("git") is None:
        return []
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    return listing.stdout.decode().rstrip("\0").split("\0") if listing.returncode == 0 else []


def python_files() -> list[Path]:
    """Every module written by hand: Alembic writes the revisions."""
    return [
        path
        for path in tracked_files()
        if path.suffix == ".py" and "migrations/versions" not in path.as_posix()
    ]


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def texts() -> Iterator[tuple[Path, str]]:
    """Every tracked text; golden data is as the outside world wrote it."""
    for path in tracked_files():
        if path.is_relative_to(ROOT / "tests/data"):
            continue
        try:
            yield path.relative_to(ROOT), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


@cache
def documentation() -> str:
    """README.md and all of docs/ but the decisions, which tell of the past."""
    pages = [
        path
        for path in sorted((ROOT / "docs").rglob("*.md"))
        if "decisions" not in path.relative_to(ROOT).parts
    ]
    return "\n".join(page.read_text(encoding="utf-8") for page in [*pages, ROOT / "README.md"])


def test_no_file_is_longer_than_one_sitting() -> None:
    lengths = {path.relative_to(ROOT): len(path.read_text("utf-8").splitlines()) for path in python_files()}
    assert {path: length for path, length in lengths.items() if length > LONGEST_FILE} == {}


def test_no_function_is_longer_than_a_page() -> None:
    long = {
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}": length
        for path in python_files()
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or node.lineno) - node.lineno + 1) > LONGEST_FUNCTION
    }
    assert long == {}


def test_nothing_is_mocked() -> None:
    mocked = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in python_files()
        for node in ast.walk(parsed(path))
        if (
            isinstance(node, ast.Import) and any(name.name.startswith("unittest.mock") for name in node.names)
        )
        or (isinstance(node, ast.ImportFrom) and node.module in {"unittest.mock", "mock"})
        or (isinstance(node, ast.ImportFrom) and node.module == "unittest" and "mock" in ast.unparse(node))
    ]
    assert mocked == []


def test_every_folder_and_module_is_named_for_what_it_holds() -> None:
    paths = [path.relative_to(ROOT) for path in python_files()]
    vague = [path for path in paths if BANNED_NAMES & {*path.parent.parts, path.stem}]
    assert vague == []
    assert [path for path in paths if path.name == "service.py"] == []


@pytest.mark.timeout(300)
def test_every_process_finds_the_same_tests(request: pytest.FixtureRequest) -> None:
    """Names of tests hold neither time nor chance: workers that disagree about them run nothing at all."""
    other = {**os.environ, "PYTHONHASHSEED": str(1 + (int(os.environ.get("PYTHONHASHSEED") or 0) + 1) % 1000)}
    for mine in [name for name in other if name.startswith(("PYTEST_", "COV_", "COVERAGE_"))]:
        del other[mine]
    found = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"],
        cwd=ROOT, env=other, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    assert {item.nodeid for item in request.session.items} - set(found) == set()


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_has_a_sign_on_its_door(room: str) -> None:
    sign = parsed(ROOT / room / "__init__.py")
    assert ast.get_docstring(sign), f"{room}/__init__.py does not say what the room is for"
    offered = [
        ast.literal_eval(node.value)
        for node in sign.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    ]
    assert offered, f"{room}/__init__.py does not say what it offers (__all__)"
    assert 1 <= len(offered[0]) <= MOST_NAMES_OFFERED


def test_every_tool_knows_the_same_rooms() -> None:
    tools = PYPROJECT["tool"]
    layers = [
        name for layer in tools["importlinter"]["contracts"][0]["layers"] for name in layer.split(" | ")
    ]
    assert sorted(tools["importlinter"]["root_packages"]) == sorted(ROOMS)
    assert sorted([*layers, "sandbox", "benchmarks", "tocsin_client"]) == sorted(ROOMS)
    assert sorted(tools["coverage"]["run"]["source"]) == sorted(ROOMS)
    assert sorted(tools["mypy"]["files"]) == sorted([*ROOMS, "tests"])
    assert sorted(tools["ruff"]["lint"]["isort"]["known-first-party"]) == sorted([*ROOMS, "tests"])
    assert sorted(tools["deptry"]["known_first_party"]) == sorted([*ROOMS, "tests"])


def test_nothing_names_a_package_registry() -> None:
    found = [f"{path}: {match[0]}" for path, text in texts() for match in REGISTRY_WORDS.finditer(text)]
    assert found == []


def test_nothing_names_a_path_of_somebodys_machine() -> None:
    found = [f"{path}: {match[0]}" for path, text in texts() for match in MACHINE_PATHS.finditer(text)]
    assert found == []


def test_every_locked_package_has_its_hashes() -> None:
    for lock in ("build", "base", "dev"):
        text = (ROOT / f"requirements/{lock}.txt").read_text(encoding="utf-8")
        entries = re.split(r"\n(?=[a-z0-9])", text.strip(), flags=re.IGNORECASE)
        assert [entry for entry in entries if "--hash=sha256:" not in entry] == []


@pytest.mark.docs
def test_the_drawing_shows_every_room_in_the_order_of_the_layers() -> None:
    page = ROOT / "docs/architecture.md"
    blocks = re.findall(r"```[a-z]*\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    drawing = next((block for block in blocks if all(room in block for room in ROOMS)), None)
    assert drawing is not None, "docs/architecture.md has no drawing with every room in it"
    lines = drawing.splitlines()
    storey = {
        room: next(number for number, line in enumerate(lines) if re.search(rf"\b{room}\b", line))
        for room in ROOMS
    }
    layers = [layer.split(" | ") for layer in PYPROJECT["tool"]["importlinter"]["contracts"][0]["layers"]]
    heights = [[storey[room] for room in layer] for layer in layers]
    assert all(len(set(layer)) == 1 for layer in heights), "rooms of one layer are not drawn side by side"
    assert [layer[0] for layer in heights] == sorted(layer[0] for layer in heights)


@pytest.mark.docs
def test_every_setting_is_documented() -> None:
    text = documentation()
    missing = [name for name in setting_names() if not re.search(rf"\b{re.escape(name)}\b", text)]
    assert missing == []


@pytest.mark.docs
def test_every_command_is_documented() -> None:
    text = documentation()
    assert [command for command in command_names() if command not in text] == []


def setting_names() -> list[str]:
    """Every environment variable that is read, as it is spelled there."""
    kinds = [
        kind
        for kind in vars(settings).values()
        if isinstance(kind, type) and issubclass(kind, BaseSettings) and kind.__module__ == settings.__name__
    ]
    assert kinds, "service.settings has no settings"
    return sorted(
        name for kind in kinds for name in _variables(kind, kind.model_config.get("env_prefix", ""))
    )


def _variables(kind: type[Any], prefix: str) -> Iterator[str]:
    delimiter = kind.model_config.get("env_nested_delimiter") or "__"
    for name, field in kind.model_fields.items():
        nested = field.annotation
        if isinstance(nested, type) and hasattr(nested, "model_fields"):
            yield from _variables(nested, f"{prefix}{name}{delimiter}")
        else:
            alias = field.validation_alias if isinstance(field.validation_alias, str) else f"{prefix}{name}"
            yield alias.upper()


def command_names() -> list[str]:
    """Every command as it is typed: `tocsin demo`, `tocsin report delivery`."""
    return sorted(_typed("tocsin", get_command(app)))


def _typed(path: str, command: Any) -> Iterator[str]:
    below = getattr(command, "commands", {})
    if not below:
        yield path
    for name, child in below.items():
        if not child.hidden:
            yield from _typed(f"{path} {name}", child)
