"""A whole platform as a person starts it: `weir up`, and calls to it over HTTP."""

import os
import re
import secrets
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2

from operations import launch
from simulator.traffic.population import with_check_digit

START_SECONDS_MAX = 180
STOP_SECONDS_MAX = 60
CALL_SECONDS_MAX = 60.0
LAST_LINE = "weir explain"


@dataclass
class Up:
    """A running `weir up`: its process, what it printed, and what it says on standard error."""

    process: subprocess.Popen[str]
    printed: str
    said: list[str]
    live_key: str = ""
    """A live key, once there is one; till then calls carry the test key of the welcome."""

    def place(self, name: str) -> str:
        """The value beside a name in the welcome."""
        found = re.search(rf"^\s+{name}\s+(\S+)", self.printed, re.MULTILINE)
        assert found, self.printed
        return found[1]

    @property
    def api(self) -> str:
        return self.place("API")

    @property
    def key(self) -> str:
        return self.live_key or self.place("test key")

    @property
    def ca(self) -> str:
        found = re.search(r"CA: (\S+)\)", self.printed)
        assert found, self.printed
        return found[1]

    def programs(self) -> dict[str, int]:
        """The programs that run under this supervisor: name → process id."""
        return {name: pid for pid, name in _children(self.process.pid)}

    def processes(self, name: str) -> set[int]:
        """The processes of one program, where it has several."""
        return {pid for pid, found in _children(self.process.pid) if found == name}

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx2.Response:
        return self._send(method, f"{self.api}{path}", body)

    def token(self) -> str:
        """Of a card never used before: one used often within minutes is held, rightly."""
        number = with_check_digit(f"40000276{secrets.randbelow(10**7):07}")
        response = self.offer_card(number)
        assert response.status_code == 200, response.text
        return str(response.json()["id"])

    def offer_card(self, number: str) -> httpx2.Response:
        card = {"number": number, "exp_month": 12, "exp_year": 2031, "cvc": "123"}
        return self._send("POST", f"{self.place('processor')}/v1/tokens", {"card": card})

    def confirm(self, amount: int) -> httpx2.Response:
        """Token, intent, confirm."""
        token = self.token()
        intent = self.call("POST", "/v1/payment_intents", {"amount": amount, "currency": "eur"}).json()
        confirm = f"/v1/payment_intents/{intent['id']}/confirm"
        return self.call("POST", confirm, {"payment_method": token})

    def pay(self) -> dict[str, Any]:
        """A payment that goes through; the intent at the end."""
        response = self.confirm(1999)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    def as_curl(self, words: list[str]) -> dict[str, Any]:
        """What curl would get for these words: a URL, headers (-H) and form fields (-d)."""
        (url,) = [word for word in words if word.startswith("http")]
        fields = [words[place + 1] for place, word in enumerate(words) if word == "-d"]
        (header,) = [words[place + 1] for place, word in enumerate(words) if word == "-H"]
        name, _, value = header.partition(": ")
        content = "&".join(quote(field, safe="=") for field in fields)
        headers = {name: value, "Content-Type": "application/x-www-form-urlencoded"}
        trusted = ssl.create_default_context(cafile=self.ca)
        with httpx2.Client(verify=trusted, trust_env=False, timeout=CALL_SECONDS_MAX) as client:
            response = client.post(url, content=content, headers=headers)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    def _send(self, method: str, url: str, body: dict[str, Any] | None) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {self.key}"}
        trusted = ssl.create_default_context(cafile=self.ca)
        with httpx2.Client(verify=trusted, trust_env=False, timeout=CALL_SECONDS_MAX) as client:
            return client.request(method, url, json=body, headers=headers)


@contextmanager
def up(home: Path, *options: str) -> Iterator[Up]:
    """`weir up`, ready. At the end, unless it has ended already, SIGTERM must stop it with exit status 0."""
    words = ["-m", "weir", "up", "--home", str(home), "--port", "0", "--deadline-ms", "5000", *options]
    process = subprocess.Popen(
        [sys.executable, launch.__file__, str(os.getpid()), sys.executable, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    watchdog = threading.Timer(START_SECONDS_MAX, process.kill)
    watchdog.start()
    said: list[str] = []
    listener = threading.Thread(target=lambda: said.extend(process.stderr or ()), daemon=True)
    listener.start()
    try:
        printed = ""
        while LAST_LINE not in printed:
            line = process.stdout.readline()
            if not line:
                listener.join(5)
                raise AssertionError(f"weir up ended before it was up:\n{printed}{''.join(said)}")
            printed += line
        watchdog.cancel()
        yield Up(process, printed, said)
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            assert process.wait(STOP_SECONDS_MAX) == 0, "".join(said)
    finally:
        watchdog.cancel()
        process.kill()
        process.wait()
        listener.join(5)
        process.stdout.close()
        process.stderr.close()


def weir(*words: str, seconds_max: float, **environment: str) -> subprocess.CompletedProcess[str]:
    """One `weir` command, to its end."""
    return subprocess.run(
        [sys.executable, launch.__file__, str(os.getpid()), sys.executable, "-m", "weir", *words],
        capture_output=True,
        text=True,
        timeout=seconds_max,
        env={**os.environ, "COLUMNS": "120", **environment},
        check=False,
    )


def is_alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return _stat(pid)[0] not in ("Z", "X")
    except OSError:
        return False


def _children(parent: int) -> Iterator[tuple[int, str]]:
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            is_child = int(_stat(int(folder.name))[1]) == parent
            words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if is_child and "-m" in words:
            yield int(folder.name), words[words.index("-m") + 1]


def _stat(pid: int) -> list[str]:
    """State, parent, … of a process: what stands behind its name in parentheses."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
