"""The documents tell the truth: what they name exists, and the container file fits the code."""

import ast
import doctest
import importlib
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from events.crash import CRASH_POINTS
from events.topics import TOPICS
from models.features import CATALOGUE

ROOT = Path(__file__).parents[1]
PROGRAMS = (
    "gateway.api.__main__",
    "gateway.processor.__main__",
    "pipelines.learning",
    "pipelines.risk",
    "simulator.acquirer.__main__",
    "events.log.kafka",
)
WITH_EXAMPLES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for folder in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
        "root_packages"
    ]
    for path in (ROOT / folder).rglob("*.py")
    if ">>>" in path.read_text()
)
ERRORS = sorted(ROOT.glob("[a-z]*/**/errors.py"))
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text()
README = (ROOT / "README.md").read_text()


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return read


def test_the_container_file_runs_the_broker_version_that_the_tests_run(compose: dict[str, Any]) -> None:
    version = compose["services"]["kafka"]["image"].partition(":")[2]

    assert f"<version>{version}</version>" in (ROOT / "simulator" / "kafka" / "pom.xml").read_text()


def test_the_container_file_keeps_what_must_outlive_a_container_in_volumes(compose: dict[str, Any]) -> None:
    for name in ("kafka", "postgres", "weir"):
        for volume in compose["services"][name]["volumes"]:
            assert volume.partition(":")[0] in compose["volumes"]


def test_the_container_file_syncs_each_message_since_one_broker_does_not_replicate(
    compose: dict[str, Any],
) -> None:
    assert compose["services"]["kafka"]["environment"]["KAFKA_LOG_FLUSH_INTERVAL_MESSAGES"] == 1


def test_the_container_file_waits_for_a_broker_that_answers(compose: dict[str, Any]) -> None:
    assert compose["services"]["weir"]["depends_on"]["kafka"]["condition"] == "service_healthy"


def test_the_container_file_starts_what_the_platform_uses_and_no_more(compose: dict[str, Any]) -> None:
    started = {name for name, service in compose["services"].items() if "profiles" not in service}
    needed = set(compose["services"]["weir"]["depends_on"])

    assert started == {"weir", *needed}


def test_no_password_is_written_into_the_container_file(compose: dict[str, Any]) -> None:
    passwords = [
        value for value in compose["services"]["postgres"]["environment"].items() if "PASS" in value[0]
    ]

    assert passwords
    assert all(value.startswith("${") for _, value in passwords)


@pytest.mark.parametrize("document", ["README.md", "ARCHITECTURE.md", "SECURITY.md"])
def test_every_path_that_a_document_names_exists(document: str) -> None:
    text = (ROOT / document).read_text()
    named = set(
        re.findall(
            r"`((?:events|models|gateway|pipelines|operations|dashboards|simulator|tests|bench)/[\w./-]+)`",
            text,
        )
    )

    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_drawn_house_has_the_rooms_that_stand() -> None:
    house = ARCHITECTURE.split("## The house")[1].split("```")[1]
    rooms = set(re.findall(r"^(\w+)/ ", house, re.MULTILINE))
    packages = set(
        tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["root_packages"]
    )

    assert packages - {"weir"} <= rooms
    assert all((ROOT / room).is_dir() for room in rooms)


def test_every_topic_that_the_documents_draw_is_declared() -> None:
    drawn = set(
        re.findall(r"▶ (assessments|decisions|payments|labels|models|accounts|controls)\b", ARCHITECTURE)
    )

    assert drawn
    assert drawn <= set(TOPICS)


def test_every_crash_point_belongs_to_a_write_of_the_durability_table() -> None:
    table = ARCHITECTURE.split("## Durability")[1].split("\n## ")[0]
    named = set(re.findall(r"`([a-z_]+\.[a-z_]+)`", table))
    families = {".".join(point.split(".")[:2]) for point in all_crash_points()}

    assert families - named == set()
    assert {
        name for name in named if name.split(".")[0] in {f.split(".")[0] for f in families}
    } - families == set()


def test_the_glossary_is_sorted_and_says_each_word_once() -> None:
    words = re.findall(r"^\| ([a-z][\w ]+) \|", ARCHITECTURE.split("## Glossary")[1], re.MULTILINE)

    assert words == sorted(set(words))
    assert len(words) > 20


def test_the_readme_counts_the_features_that_there_are() -> None:
    assert f"over {len(CATALOGUE)} features" in README


def test_the_readme_names_the_two_commands_first() -> None:
    commands = re.findall(r"```bash\n(.*?)```", README, re.DOTALL)

    assert [command.strip() for command in commands[:2]] == ["make demo", "make test"]


@pytest.mark.parametrize("path", ERRORS, ids=lambda path: str(path.relative_to(ROOT)))
def test_errors_are_drawn_under_what_they_are_made_of(path: Path) -> None:
    module = ast.parse(path.read_text())
    drawn: dict[str, str] = {}
    branch: list[str] = []
    for indent, name in re.findall(r"^([│├└─ ]*)(\w+Error)\b", ast.get_docstring(module) or "", re.MULTILINE):
        branch = [*branch[: len(indent) // 4], name]
        drawn[name] = branch[-2] if len(branch) > 1 else "Exception"

    made = {node.name: ast.unparse(node.bases[0]) for node in module.body if isinstance(node, ast.ClassDef)}
    assert {name: drawn.get(name) for name in made} == made


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_every_example_in_the_code_gives_what_it_says(module: str) -> None:
    ran = doctest.testmod(importlib.import_module(module))

    assert ran.attempted > 0
    assert ran.failed == 0


def test_crash_points_say_what_is_durable() -> None:
    points = all_crash_points()

    assert len(points) > 40
    assert all(len(meaning.split()) >= 4 for meaning in points.values())


def all_crash_points() -> dict[str, str]:
    """Every program's points: importing it declares them."""
    for module in PROGRAMS:
        importlib.import_module(module)
    return CRASH_POINTS
