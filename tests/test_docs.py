"""The documentation says what the program does: every setting, command, option and field, and only those.

That every setting and command is named at all is checked in `tests/test_house.py`.
"""

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from audience.fields import FIELDS
from service.cli import app
from service.settings import Settings
from service.settings_problems import PREFIX, variable

pytestmark = pytest.mark.docs
ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.*)$", re.MULTILINE)
BEYOND = frozenset({"<", ">", "|", "&&", ";"})
"""Where a shell's own business begins."""


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def prose(path: Path) -> str:
    """A page without its blocks of code."""
    return BLOCK.sub("", text_of(path))


@cache
def root_command() -> Any:
    return get_command(app)


def leaves(command: Any, path: str = "tocsin") -> Iterator[tuple[str, Any]]:
    """Every command that does something, as it is typed."""
    below = getattr(command, "commands", {})
    for name, child in below.items():
        yield from leaves(child, f"{path} {name}")
    if not below:
        yield path, command


def typed_lines() -> Iterator[tuple[str, str]]:
    """Where it stands, and a line that begins with `tocsin`: in code on the pages, and in the help itself."""
    for page in PAGES:
        for kind, code in BLOCK.findall(text_of(page)):
            for line in code.splitlines() if kind == "console" else ():
                if line.startswith("$ tocsin "):
                    yield page.name, line.removeprefix("$ ")
        for words in re.findall(r"`(tocsin [^`]+)`", prose(page)):
            yield page.name, words
    for path, command in leaves(root_command()):
        for line in (command.epilog or "").splitlines()[1:]:
            yield path, line.strip().replace("\\[", "[")


def parse(line: str) -> None:
    """Follow a line as the command itself would, short of doing it."""
    words = shlex.split(line, comments=True)
    end = next((place for place, word in enumerate(words) if word in BEYOND), len(words))
    command, arguments = root_command(), words[1:end]
    while arguments and hasattr(command, "commands") and not arguments[0].startswith("-"):
        name, *arguments = arguments
        assert name in command.commands, f"there is no command {name}"
        command = command.commands[name]
    mentioned_only = not arguments and any(param.required for param in command.params)
    if not mentioned_only:
        # Mentioned by name, `tocsin identity add` is fine; with arguments, it has to be right.
        command.make_context("tocsin", arguments, resilient_parsing="--help" in arguments)


@pytest.mark.parametrize(("where", "line"), sorted(set(typed_lines())))
def test_every_command_in_the_documentation_can_be_typed(where: str, line: str) -> None:
    if not line.endswith(("--help", "--version")):
        parse(line)


@pytest.mark.parametrize(("path", "command"), list(leaves(root_command())), ids=str)
def test_every_command_is_explained_with_all_its_options(path: str, command: Any) -> None:
    page = text_of(ROOT / "docs/commands.md")
    section = page.partition(f"### `{path}`\n")[2].partition("\n##")[0]
    assert section, f"docs/commands.md has no section on {path}"
    assert (command.help or "").split("\n")[0] in " ".join(section.split())
    for parameter in command.params:
        if parameter.param_type_name == "option" and parameter.name != "help":
            assert f"`{parameter.opts[0]}" in section, f"{parameter.opts[0]} is missing"


def test_no_command_is_explained_that_is_not_there() -> None:
    explained = re.findall(r"^### `(.*)`$", text_of(ROOT / "docs/commands.md"), re.MULTILINE)
    assert sorted(explained) == sorted(path for path, _ in leaves(root_command()))


def test_every_command_has_a_help_that_begins_with_a_sentence_and_ends_with_an_example() -> None:
    for path, command in leaves(root_command()):
        first = (command.help or "").split("\n")[0]
        assert first.endswith("."), path
        assert path in (command.epilog or ""), path


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_setting_is_explained_in_its_own_words(name: str) -> None:
    page = text_of(ROOT / "docs/settings.md")
    line = next((line for line in page.splitlines() if line.startswith(f"| `{variable(name)}` |")), "")
    assert (Settings.model_fields[name].description or "") in line


def test_no_setting_is_named_that_is_not_there() -> None:
    known = {variable(name) for name in Settings.model_fields}
    for page in PAGES:
        named = set(re.findall(rf"\b{PREFIX}[A-Z_]+\b", text_of(page)))
        assert named <= known, page.name


@pytest.mark.parametrize("field", [field.name for field in FIELDS])
def test_every_field_of_an_import_is_explained(field: str) -> None:
    assert f"| `{field}` |" in text_of(ROOT / "docs/import.md")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_between_pages_leads_somewhere(page: Path) -> None:
    for target in LINK.findall(prose(page)):
        if "://" in target or target.startswith("mailto:"):
            continue
        name, _, anchor = target.partition("#")
        there = (page.parent / name).resolve() if name else page
        assert there.exists(), f"{target} leads nowhere"
        if anchor:
            headings = {_anchor(heading) for heading in HEADING.findall(text_of(there))}
            assert anchor in headings, f"{target} has no such heading"


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def test_the_readme_shows_the_two_commands_to_begin_with() -> None:
    readme = text_of(ROOT / "README.md")
    assert "$ make demo" in readme
    assert "$ make test" in readme


def test_every_page_is_reached_from_the_readme() -> None:
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        near = [target for target in LINK.findall(prose(page)) if "://" not in target]
        waiting += [(page.parent / target.partition("#")[0]).resolve() for target in near]
    # Decisions are a folder to look into.
    assert {page for page in PAGES if page.parent.name != "decisions"} <= reached
