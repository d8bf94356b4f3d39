"""Every durable write and every send of the product has a crash point in the function that makes it.

Found in the source, so that what no test happens to run is found too. What is found here and has no point of
its own stands in `ELSEWHERE`, with the reason. Writes that the source does not show (a statement that commits
by itself) are found in running programs: `tests/e2e/test_durable_writes.py`.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("operations", "dashboards", "gateway", "pipelines", "models", "events", "simulator")

DURABLE = frozenset(
    {"fsync", "fdatasync", "rename", "renames", "write_text", "write_bytes", "write_parquet", "begin"}
)
"""Methods and functions that put something in place for good, whoever they are called on."""

SENDS = {
    "write": "writer|transport",
    "send": "producer|sender|socket|client",
    "produce": "producer",
    "sendall": "",
    "sendto": "",
    "post": "client|session|api$|processor$",
    "request": "client|session",
    "ask": "peer|link",
}
"""Methods that send, and what they are called on where others have a method of that name."""

COMMITS = re.compile(r"\b(COMMIT|END|VACUUM)\b")
CHANGES = re.compile(rf"{COMMITS.pattern}|^\s*(INSERT|UPDATE|DELETE|REPLACE|CREATE|DROP|ALTER)\b")
"""On a connection of its own a statement may commit by itself; one that is handed in is in a transaction."""

ELSEWHERE = {
    "events/log/finding.py remember_log": "not durable: every start says it again",
    "events/log/kafka_confluent.py ConfluentSender": "KafkaLog.append, which alone calls it, has them",
    "events/log/kafka_python.py PythonSender": "KafkaLog.append, which alone calls it, has them",
    "events/durable_files.py sync_folder": "syncs names for those who pass points themselves",
    "events/log/sqlite.py _Writing": "the inside of the transaction of SqliteLog._committed, which has them",
    "gateway/http/asking.py Peer.ask": "HttpRails and DirectoryLink, which alone call it, have them",
    "gateway/link/asking.py": "LinkedProcessor and ApiRegistry and its like, which call it, have them",
    "gateway/link/answering.py": "what was done has them; an answer that is lost is asked for again",
    "gateway/processor_client.py LinkedProcessor.delay": "asks how busy the processor is, for now",
    "gateway/keys/home_keys.py ensure_keys": "not durable: every start says it again",
    "gateway/store/statements.py _begin": "begins what those commit who opened the connection",
    "gateway/store/postgresql.py vacuum": "changes no row; forgetting the person again does it again",
    "gateway/processor/acquirer_link.py AcquirerLink._answer_echo": "says that we are there",
    "gateway/http/connections.py": "refuses what is no request: nothing was done that could be lost",
    "gateway/http/doors.py": "refuses what has not begun: nothing was done that could be lost",
    "operations/addresses.py remember": "not durable: every start says it again",
    "operations/watched.py Watched.remember": "not durable: every start says it again",
    "pipelines/order.py OrderJournal": "OrderJournal.note has them; the rest makes durable what it wrote",
    "pipelines/state_file.py StateFile.commit": "StateWriter and LearningStore have them",
    "pipelines/learning_flow.py _Logic._committed": "LearningStore.commit has them",
    "pipelines/risk_flow.py _Logic.snapshot": "StateWriter, which makes versions durable, has them",
    "pipelines/learning_step.py LearningStep.commit": "LearningStore.commit has them",
    "pipelines/replay/decisions.py": "a result for a person, made again by the same command",
    "simulator/acquirer/books.py Books": "within the transaction of Books.together, which has them",
    "simulator/acquirer/certificates.py _sync_names": "syncs names for `issuers_secret`, which has them",
    "simulator/acs/books.py ChallengeBooks": "within its transaction, which has them",
    "simulator/rails/books.py RailsBooks": "within the transaction of RailsBooks.together, which has them",
    "simulator/kafka/": "another program's files and downloads",
    "simulator/traffic/": "shoppers and merchants: the world outside, which is told when something failed",
}
"""Place (a file or what is in it) → why its writes and sends have no point of their own."""


@cache
def product() -> dict[str, ast.Module]:
    paths = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    return {str(path.relative_to(ROOT)): ast.parse(path.read_text()) for path in paths}


def functions(tree: ast.AST, within: str = "") -> Iterator[tuple[str, list[ast.Call]]]:
    """Each function by its qualified name, with the calls in it that are in no function inside it."""
    calls: list[ast.Call] = []
    waiting = list(ast.iter_child_nodes(tree))
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from functions(node, f"{within}.{node.name}" if within else node.name)
        else:
            calls += [node] if isinstance(node, ast.Call) else []
            waiting.extend(ast.iter_child_nodes(node))
    yield within, calls


def writes_or_sends(call: ast.Call) -> bool:
    name = name_of(call)
    if name.startswith(("execute", "exec_driver_sql")):
        pattern = CHANGES if called_on(call).startswith("self.") else COMMITS
        return any(pattern.search(text) for text in texts(call))
    if name == "replace":  # of a path: a text's has two arguments, a struct's and a time's have names
        return called_on(call) == "os" or (len(call.args) == 1 and not call.keywords)
    if name == "commit":
        return isinstance(call.func, ast.Attribute)
    return name in DURABLE or (name in SENDS and re.search(SENDS[name], called_on(call)) is not None)


def name_of(call: ast.Call) -> str:
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def called_on(call: ast.Call) -> str:
    return ast.unparse(call.func.value).lower() if isinstance(call.func, ast.Attribute) else ""


def texts(call: ast.Call) -> list[str]:
    nodes = [node for argument in call.args for node in ast.walk(argument)]
    return [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def unguarded(file: str, tree: ast.Module) -> list[str]:
    """The functions of a file that write or send and pass no crash point: `FILE FUNCTION: CALL`."""
    return [
        f"{file} {name}: {ast.unparse(call)}"
        for name, calls in functions(tree)
        if "crash_point" not in {name_of(call) for call in calls}
        for call in calls
        if writes_or_sends(call)
    ]


@cache
def found() -> list[str]:
    return [each for file, tree in product().items() for each in unguarded(file, tree)]


def test_every_durable_write_and_every_send_passes_a_crash_point() -> None:
    assert [each for each in found() if not each.startswith(tuple(ELSEWHERE))] == []


def named(function: str) -> set[str]:
    """The texts in every call of a function: the points that `declare` and `crash_point` name."""
    return {
        text
        for tree in product().values()
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and name_of(call) == function
        for text in keys(call)
    }


def keys(call: ast.Call) -> list[str]:
    return [
        node.value
        for argument in call.args
        for node in (argument.keys if isinstance(argument, ast.Dict) else [argument])
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


def test_every_declared_crash_point_is_passed_somewhere_and_every_passed_one_declared() -> None:
    assert len(named("declare")) > 50
    assert named("crash_point") == named("declare")


def test_every_exception_is_one_still() -> None:
    assert [place for place in ELSEWHERE if not any(each.startswith(place) for each in found())] == []


@pytest.mark.parametrize(
    "statement",
    [
        "self._connection.execute('COMMIT')",
        "self._connection.execute('DELETE FROM batches WHERE number <= ?', (number,))",
        "database.executescript(f'BEGIN; {schema} COMMIT;')",
        "connection.commit()",
        "with engine.connect() as connection, connection.begin(): work(connection)",
        "os.fsync(descriptor)",
        "os.replace(temporary, path)",
        "temporary.replace(path)",
        "os.rename(temporary, path)",
        "path.write_bytes(content)",
        "connection.writer.write(framed(message))",
        "self._producer.produce(topic, value)",
        "await self._client.post(path, content=body)",
        "self._session.request(method, path, data=content)",
        "await self._peer.ask('POST', path, body)",
        "await self._link.ask(ProcessorAnswer, 'capture', attempt_id, request)",
    ],
)
def test_a_write_or_a_send_without_a_crash_point_is_found(statement: str) -> None:
    bare = f"async def keep():\n    {statement}\n"
    guarded = f"async def keep():\n    crash_point('a.b')\n    {statement}\n"
    inside = f"async def outer():\n    crash_point('a.b')\n    async def keep():\n        {statement}\n"

    assert unguarded("new.py", ast.parse(guarded)) == []
    assert len(unguarded("new.py", ast.parse(bare))) == 1
    assert len(unguarded("new.py", ast.parse(inside))) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "text.replace('a', 'b')",
        "now.replace(tzinfo=UTC)",
        "msgspec.structs.replace(intent, status=after)",
        "sys.stdout.write(line)",
        "self._connection.execute('SELECT 1')",
        "connection.execute('INSERT INTO cards VALUES (1)')",
    ],
)
def test_what_writes_nothing_durable_needs_no_crash_point(statement: str) -> None:
    assert unguarded("new.py", ast.parse(f"def look():\n    {statement}\n")) == []
