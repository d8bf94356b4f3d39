"""The house rules that a machine can hold: sizes, names, loose ends, links, and locks without addresses."""

import ast
import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE_FOLDERS = (
    "operations",
    "dashboards",
    "gateway",
    "pipelines",
    "models",
    "events",
    "simulator",
    "bench",
)
MODULE_LINES_MAX = 300
FUNCTION_LINES_MAX = 50
NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc"}
LOOSE_ENDS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|NotImplementedError|pragma: no cover")
BARE_EXCEPTION = re.compile(r"#\s*(type: ignore(?!\[[\w, -]+\]\s+#)|noqa(?!: [A-Z0-9, ]+\s+#))")
MOCKS = re.compile(r"unittest\.mock|MagicMock|monkeypatch\.setattr|mocker\.")
REGISTRY = re.compile(
    r"(?<!xmlns=.)https?://[^\s\"']*(registry|repo1?\.|files\.|index|pypi|npmjs|maven)", re.IGNORECASE
)


@cache
def tracked() -> tuple[Path, ...]:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return tuple(path for line in listed.stdout.splitlines() if (path := ROOT / line).is_file())


def python_files(*folders: str) -> list[Path]:
    chosen = folders or (*SOURCE_FOLDERS, "tests")
    return [
        p for p in tracked() if p.suffix == ".py" and p.relative_to(ROOT).parts[0] in (*chosen, "weir.py")
    ]


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def imported(path: Path) -> set[str]:
    """The modules from which a file imports, without the names that it takes from them."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return plain | {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first = function.body[0]
    docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    spared = (first.end_lineno or 0) - first.lineno + 1 if docstring else 0
    return (function.end_lineno or 0) - function.lineno + 1 - spared


def named(path: Path, line: int | None = None) -> str:
    place = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    return f"{place}{f':{line}' if line else ''}"


def matching_lines(pattern: re.Pattern[str], paths: list[Path]) -> list[str]:
    return [
        named(path, number)
        for path in paths
        if path != Path(__file__)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if pattern.search(line)
    ]


def test_the_checkout_is_seen() -> None:
    assert len(python_files()) > 50


def test_no_module_is_longer_than_one_concept() -> None:
    sizes = {named(path): path.read_text().count("\n") for path in python_files(*SOURCE_FOLDERS)}

    assert {name: size for name, size in sizes.items() if size > MODULE_LINES_MAX} == {}


def test_no_function_is_too_long_to_read_at_once() -> None:
    long = [
        f"{named(path, function.lineno)} {function.name}: {body_lines(function)}"
        for path in python_files()
        for function in functions(path)
        if body_lines(function) > FUNCTION_LINES_MAX
    ]

    assert long == []


def test_every_file_name_says_something() -> None:
    assert [named(path) for path in tracked() if path.stem.lower() in NAMES_THAT_SAY_NOTHING] == []


def test_every_module_says_what_it_is_for() -> None:
    assert [
        named(p) for p in python_files() if not ast.get_docstring(ast.parse(p.read_text() or "pass"))
    ] == []


def test_every_public_function_and_class_is_described() -> None:
    undescribed = [
        f"{named(path, node.lineno)} {node.name}"
        for path in python_files(*SOURCE_FOLDERS)
        if "migrations" not in path.parts  # Alembic says what `upgrade` and `downgrade` do
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        if not node.name.startswith("_") and not ast.get_docstring(node)
    ]

    assert undescribed == []


def constants_without_a_reason(path: Path) -> list[str]:
    """Numbers with a name of their own that neither they nor the names right below say a word about."""
    lines, body = path.read_text().splitlines(), ast.parse(path.read_text()).body
    unexplained: list[str] = []
    waiting: list[str] = []
    for node in body:
        if isinstance(node, ast.Assign) and _is_a_number(node):
            reason = "#" in lines[node.lineno - 1] or lines[node.lineno - 2].startswith("#")
            waiting += [] if reason else [f"{named(path, node.lineno)} {ast.unparse(node.targets[0])}"]
        elif isinstance(node, ast.Expr):
            waiting = []
        else:
            unexplained, waiting = unexplained + waiting, []
    return unexplained + waiting


def _is_a_number(node: ast.Assign) -> bool:
    """A literal number or a tuple of them; what is computed from other names has its reason there."""
    try:
        value = ast.literal_eval(node.value)
    except ValueError:
        return False
    values = value if isinstance(value, tuple) else (value,)
    return all(isinstance(one, int | float) and not isinstance(one, bool) for one in values)


def test_every_number_of_the_models_has_its_reason_beside_it() -> None:
    unexplained = [name for path in python_files("models") for name in constants_without_a_reason(path)]

    assert unexplained == []


def test_a_number_without_a_reason_is_found(tmp_path: Path) -> None:
    path = tmp_path / "numbers.py"
    path.write_text(
        'A = 3\n"""Why."""\nB = (0.5, -1)\n\n\ndef f(): ...\n\n\nC = A\nD = True\n# Why.\nE = 4\n'
    )

    assert [found.rpartition(" ")[2] for found in constants_without_a_reason(path)] == ["B"]


def test_there_are_no_loose_ends() -> None:
    assert matching_lines(LOOSE_ENDS, python_files()) == []


def test_every_exception_from_a_rule_names_the_rule_and_its_reason() -> None:
    assert matching_lines(BARE_EXCEPTION, python_files()) == []


def test_nothing_real_is_replaced_by_a_mock() -> None:
    assert matching_lines(MOCKS, python_files("tests")) == []


def test_every_test_name_is_a_sentence() -> None:
    short = [
        f"{named(path)} {function.name}"
        for path in python_files("tests")
        for function in functions(path)
        if function.name.startswith("test_") and function.name.count("_") < 3
    ]

    assert short == []


def test_no_commit_names_a_registry() -> None:
    texts = [
        p for p in tracked() if p.suffix in {".txt", ".toml", ".in", ".xml", ".json", ".yml", ".yaml", ".cfg"}
    ]

    assert matching_lines(REGISTRY, [p for p in texts if "static" not in p.parts]) == []


def test_the_locks_pin_every_package_with_its_hash() -> None:
    for name in ("runtime.txt", "dev.txt"):
        lock = (ROOT / "requirements" / name).read_text()
        assert lock.count("==") > 50
        for entry in re.split(r"\n(?=\S)", lock.strip()):
            assert "--hash=sha256:" in entry, entry.splitlines()[0]


def test_no_file_is_large() -> None:
    assert [named(path) for path in tracked() if path.stat().st_size > 1_200_000] == []


@pytest.mark.parametrize("document", sorted(p.name for p in ROOT.glob("*.md")))
def test_every_link_inside_the_documents_leads_somewhere(document: str) -> None:
    text = (ROOT / document).read_text()
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if "://" not in target and not target.startswith("mailto:"):
            assert (ROOT / target).exists(), target


def test_every_module_is_imported_or_run_by_something() -> None:
    everything = "\n".join(
        p.read_text() for p in tracked() if p.suffix in {".py", ".toml", ".yml"} or p.name == "Makefile"
    )
    unused = []
    for path in python_files(*SOURCE_FOLDERS):
        relative = path.relative_to(ROOT).with_suffix("")
        if relative.name in {"__init__", "__main__", "commands", "weir"} or "migrations" in relative.parts:
            continue
        dotted, package = ".".join(relative.parts), ".".join(relative.parts[:-1])
        pattern = rf"{re.escape(dotted)}\b|from {re.escape(package)} import [^\n]*\b{relative.name}\b"
        if not re.search(pattern, everything) and not re.search(
            rf"from {re.escape(package)} import \([^)]*\b{relative.name}\b", everything
        ):
            unused.append(dotted)

    assert unused == []


@pytest.mark.parametrize("folder", ["models", "simulator"])
def test_every_module_of_events_that_a_closed_folder_does_not_use_is_forbidden_to_it(folder: str) -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (forbidden,) = (
        set(contract["forbidden_modules"])
        for contract in contracts
        if contract.get("source_modules") == [folder]
    )
    modules = {f"events.{path.stem}" for path in (ROOT / "events").glob("[a-z]*.py")} | {"events.log"}
    inside = [path for path in python_files(folder) if path.parent != ROOT]
    used = {module for path in inside for module in imported(path)} & modules

    assert modules - forbidden == used | {"events.errors"}
