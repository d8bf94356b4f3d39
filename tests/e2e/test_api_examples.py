"""Every example of docs/api.md, in its order, and the README's first payment, against a running platform."""

import json
import os
import re
import shlex
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.e2e.platforms import CALL_SECONDS_MAX, Up, up, weir

DOCUMENT = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
README = (Path(__file__).parents[2] / "README.md").read_text()
FIRST_PAYMENT_LINES_MAX = 20
BLOCKS = re.findall(r"^```(bash|json)\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
TOLD = frozenset(
    {"object", "status", "type", "code", "decline_code", "amount", "currency", "kind", "fraud", "open"}
)
"""Members whose values are compared too; of the others names and types: ids, times and scores differ."""
PLACES = {"token": "TOKEN", "payment_intent": "INTENT", "review": "REVIEW"}


class Reader:
    """Someone who types the examples, and keeps the ids that the answers show."""

    def __init__(self, platform: Up, password: str, home: Path) -> None:
        self._home = home
        self.seen: set[tuple[str, str]] = set()
        """Currency and status of each intent that was answered."""
        self._known = {
            "PASSWORD": password,
            "API": platform.api,
            "PROCESSOR": platform.place("processor"),
            "KEY": platform.key,
            "CA": platform.ca,
        }
        trusted = ssl.create_default_context(cafile=platform.ca)
        self._client = httpx2.Client(verify=trusted, trust_env=False, timeout=CALL_SECONDS_MAX)

    def type(self, command: str) -> dict[str, Any]:
        """What curl would get, or `weir` would print of one thing."""
        if command.startswith("weir "):
            done = weir(*shlex.split(command)[1:], "--home", str(self._home), seconds_max=60)
            assert done.returncode == 0, done.stderr
            return dict(json.loads(done.stdout))
        for name, value in self._known.items():
            command = command.replace(f"${name}", value)
        assert "$" not in command, command
        request = curled(shlex.split(command))
        response = self._client.send(request)
        answer: dict[str, Any] = response.json()
        assert response.status_code < 500, answer
        self._keep(answer)
        return answer

    def close(self) -> None:
        self._client.close()

    def _keep(self, answer: dict[str, Any]) -> None:
        if set(answer) == {"token"}:
            self._known["ACCESS"] = answer["token"]
        if answer.get("object") == "payment_intent":
            self.seen.add((answer["currency"], answer["status"]))
        for shown in [answer, *answer.get("data", [])]:
            if place := PLACES.get(shown.get("object", "")):
                self._known[place] = shown["id"]


def curled(words: list[str]) -> httpx2.Request:
    """The request that curl sends for these words: -X, -H, -d (form fields, or one JSON body), --cacert."""
    assert words.pop(0) == "curl"
    [url] = [word for word in words if word.startswith("http")]
    headers = dict(pair.split(": ", 1) for pair in _after(words, "-H"))
    data = _after(words, "-d")
    if data and "Content-Type" not in headers:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    method = next(iter(_after(words, "-X")), "POST" if data else "GET")
    return httpx2.Request(method, url, headers=headers, content="&".join(data))


def _after(words: list[str], option: str) -> list[str]:
    return [words[place + 1] for place, word in enumerate(words) if word == option]


def same_shape(shown: Any, got: Any, place: str = "") -> list[str]:
    """Where an answer is not as it is shown; `{}` stands for any object."""
    if isinstance(shown, dict) and isinstance(got, dict):
        if shown and set(shown) != set(got):
            return [f"{place} has {sorted(got)}, not {sorted(shown)}"]
        return [line for name in shown for line in same_shape(shown[name], got[name], f"{place}.{name}")]
    if isinstance(shown, list) and isinstance(got, list) and len(shown) == len(got):
        return [line for pair in zip(shown, got, strict=True) for line in same_shape(*pair, f"{place}[]")]
    name = place.rpartition(".")[2]
    # A null may be a text in another answer: what is decided late has no score.
    other = shown != got if name in TOLD else None not in (shown, got) and type(shown) is not type(got)
    return [f"{place} is {got!r}, shown as {shown!r}"] if other else []


@pytest.mark.timeout(600)
def test_every_example_of_the_api_reference_is_answered_as_it_is_shown(tmp_path: Path) -> None:
    assert sum(kind == "json" for kind, _ in BLOCKS) >= 8
    answer: dict[str, Any] = {}
    wrong: list[str] = []
    with up(tmp_path / "home") as platform:
        reader = Reader(platform, password_of("ada", tmp_path / "home"), tmp_path / "home")
        for kind, text in BLOCKS:
            if kind == "json":
                wrong += same_shape(json.loads(text), answer)
                continue
            for command in text.strip().splitlines():
                answer = reader.type(command)
        reader.close()
        first = first_payment(platform)

    assert wrong == [], "\n".join(wrong)
    assert {("eur", "succeeded"), ("inr", "succeeded")} <= reader.seen
    assert first.stdout == "succeeded\n", first.stderr


def password_of(name: str, home: Path) -> str:
    """The password of a user who is made for it."""
    made = weir("users", "create", name, "--merchant", "acct_first", "--home", str(home), seconds_max=60)
    return str(json.loads(made.stdout)["password"])


def first_payment(platform: Up) -> subprocess.CompletedProcess[str]:
    """The README's own program, as a newcomer runs it."""
    [program] = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert len(program.strip().splitlines()) <= FIRST_PAYMENT_LINES_MAX
    told = {
        "API": platform.api,
        "PROCESSOR": platform.place("processor"),
        "KEY": platform.key,
        "CA": platform.ca,
    }
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **told},
        capture_output=True,
        text=True,
        check=False,
    )
