"""README and documentation: every page is in the nav, every link leads somewhere, every command is one."""

import re
import shlex
from pathlib import Path

import pytest
import typer.main
from click import Command, Context, Group, UsageError
from pydantic import BaseModel

import client.cli
import server.cli
import simulation.cli
from client.shop import settings
from common.plan import schema

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
TYPED = [page for page in PAGES if page.parent.name in {"quickstart", "how-to"} or page.name == "README.md"]
COMMANDS = {
    "hansa-sim": typer.main.get_command(simulation.cli.app),
    "hansa-client": typer.main.get_command(client.cli.app),
    "hansa-server": typer.main.get_command(server.cli.app),
}
FENCE = re.compile(r"^( *)```.*?^\1```$", re.MULTILINE | re.DOTALL)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def prose(page: Path) -> str:
    """The text of a page without its blocks of code, and with what it includes."""
    text = page.read_text()
    for included in re.findall(r"^```\{include\} (\S+)$", text, re.MULTILINE):
        text += (page.parent / included).read_text()
    return FENCE.sub("", text)


def anchors(page: Path) -> set[str]:
    """Anchors of the headings of a page, as a forge and the site make them."""
    titles = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def links(page: Path) -> list[str]:
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)) if "://" not in link]


def lines_typed(page: Path) -> list[str]:
    """Lines of a page's blocks of code that call a command, without what a comment says."""
    lines = [line.strip() for block in FENCE.finditer(page.read_text()) for line in block[0].splitlines()]
    return [line.split("  #")[0].rstrip() for line in lines if line.split(" ")[0] in COMMANDS]


def parse(command: Command, words: list[str], context: Context | None = None) -> None:
    """Read the words as the command does, and stop before it runs: unknown or missing ones are errors."""
    here = Context(command, parent=context, info_name=command.name)
    if isinstance(command, Group):
        name, *rest = words
        found = command.get_command(here, name)
        assert found is not None, f"there is no command {name}"
        parse(found, rest, here)
        return
    values, left, _ = command.make_parser(here).parse_args(words)
    assert left == [], f"{left} is too much"
    missing = [part.name for part in command.params if part.required and values.get(str(part.name)) is None]
    assert missing == []


def test_every_page_is_in_the_nav_once() -> None:
    trees = re.findall(r"^```\{toctree\}\n(.*?)^```$", (DOCS / "index.md").read_text(), re.MULTILINE | re.DOTALL)
    lines = [line for tree in trees for line in tree.splitlines() if line and not line.startswith(":")]
    named = [re.sub(r"^.*<(.+)>$", r"\1", line) for line in lines]
    assert len(named) == len(set(named))
    pages = {str(page.relative_to(DOCS).with_suffix("")) for page in DOCS.rglob("*.md")}
    assert pages - {"index"} <= set(named)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for link in links(page):
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT)
        if anchor:
            assert anchor in anchors(target), link


@pytest.mark.parametrize("page", TYPED, ids=name_of)
def test_every_command_of_a_page_is_one_with_options_that_it_has(page: Path) -> None:
    for line in lines_typed(page):
        program, *words = shlex.split(line)
        parse(COMMANDS[program], words)


@pytest.mark.parametrize("line", ["hansa-sim run plan.toml", "hansa-sim run p --out o --fast", "hansa-client tap it"])
def test_a_command_that_is_none_is_noticed(line: str) -> None:
    program, *words = shlex.split(line)
    with pytest.raises((UsageError, AssertionError)):
        parse(COMMANDS[program], words)


def test_every_key_of_a_plan_is_on_its_page() -> None:
    page = (DOCS / "plan.md").read_text()
    sections = [thing for thing in vars(schema).values() if isinstance(thing, type) and issubclass(thing, BaseModel)]
    assert sections
    for section in sections:
        for key in (field.alias or name for name, field in section.model_fields.items()):
            assert re.search(rf"`[^`]*\b{key}\b[^`]*`", page), f"{section.__name__}.{key}"


def test_every_key_of_a_shop_is_on_its_page() -> None:
    page = (DOCS / "shop.md").read_text()
    sections = [thing for thing in vars(settings).values() if isinstance(thing, type) and issubclass(thing, BaseModel)]
    assert settings.OrderSettings in sections
    for section in sections:
        for key in (field.alias or name for name, field in section.model_fields.items()):
            assert re.search(rf"`[^`]*\b{key}\b[^`]*`", page), f"{section.__name__}.{key}"


def test_a_word_of_the_glossary_has_one_meaning_and_its_files_exist() -> None:
    page = (DOCS / "glossary.md").read_text()
    words = [word for cell in re.findall(r"^\| ([^|]+) \|", page, re.MULTILINE) for word in cell.split(", ")]
    assert len(words) > 60
    assert [word for word in set(words) if words.count(word) > 1 and word not in {"word", "---"}] == []
    assert [file for file in re.findall(r"`([\w/]+\.py)`", page) if not (ROOT / file).is_file()] == []


def test_every_path_of_the_house_in_the_readme_exists() -> None:
    house = (ROOT / "README.md").read_text().split("\n## The house\n")[1].split("```")[1]
    room = ""
    for line in filter(None, house.splitlines()):
        names = re.split(r"\s{2,}", line.strip())[0].split(", ")
        if not line.startswith(" "):
            room = ""
        for name in names:
            assert (ROOT / room / name).exists(), f"{room}{name}"
        if not line.startswith(" "):
            room = names[0]


def test_the_files_of_a_round_in_the_readme_exist() -> None:
    path = (ROOT / "README.md").read_text().split("through six files")[1].split("```")[1]
    files = re.findall(r"[\w/]+\.py", path)
    assert len(files) == 6
    assert [file for file in files if not (ROOT / file).is_file()] == []


def test_what_joining_adds_is_said_in_the_readme_as_in_the_results() -> None:
    readme, results = ((file).read_text().replace("\xa0", " ") for file in (ROOT / "README.md", DOCS / "results.md"))
    said = re.findall(
        r"(\S+) % (better|worse)(?:\*\*)? \((?:95 % interval )?(\S+) % to (\S+) %\)",
        readme.split("## What it reaches")[1],
    )
    table = results.split("## What joining adds")[1].split("\n## ")[0]
    assert len(said) >= 5
    for share, way, low, high in said:
        sign = {"better": "+", "worse": "−"}[way]
        assert f"{sign}{share.removeprefix('**')} % ({low} to {high})" in table, share


def test_the_picture_of_the_readme_says_what_it_shows_and_asks_nothing_of_any_other_place() -> None:
    picture = (DOCS / "round.svg").read_text()
    assert "<title" in picture
    assert "<desc" in picture
    assert "prefers-color-scheme: dark" in picture
    assert re.findall(r"(?:href|src)=\"(?!#)|url\((?!#)|https?://(?!www\.w3\.org/2000/svg)|<script", picture) == []
