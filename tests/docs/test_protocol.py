"""docs/protocol.md and the code that cites it: no section that is not there, and none that nobody cites."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("certs", "client", "common", "server", "simulation")
HEADINGS = re.findall(r"^#{2,3} §([\d.]+) ", (ROOT / "docs" / "protocol.md").read_text(), flags=re.MULTILINE)


def cited() -> dict[str, list[str]]:
    """Every section that code cites, and where."""
    found: dict[str, list[str]] = {}
    for room in ROOMS:
        for file in (ROOT / room).rglob("*.py"):
            text = " ".join(file.read_text().split())
            for section in re.findall(r"docs/protocol\.md §(\d+(?:\.\d+)?)", text):
                found.setdefault(section, []).append(str(file.relative_to(ROOT)))
    return found


def test_sections_are_numbered_in_order_and_once() -> None:
    assert len(HEADINGS) > 20
    assert sorted(HEADINGS, key=lambda number: [int(part) for part in number.split(".")]) == HEADINGS
    assert len(set(HEADINGS)) == len(HEADINGS)


def test_every_section_that_the_code_cites_is_there() -> None:
    missing = {section: files for section, files in cited().items() if section not in HEADINGS}
    assert not missing


def test_every_section_about_a_format_is_cited_by_code() -> None:
    leaves = [number for number in HEADINGS if not any(other.startswith(f"{number}.") for other in HEADINGS)]
    assert [number for number in leaves if number not in cited()] == []


def test_a_section_that_points_to_another_points_to_one_that_is_there() -> None:
    text = (ROOT / "docs" / "protocol.md").read_text()
    assert set(re.findall(r"§(\d+(?:\.\d+)?)", text)) == set(HEADINGS)
