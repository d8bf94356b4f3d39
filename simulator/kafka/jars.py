"""The server's jars: resolved once by Maven into a cache folder, used from there afterwards without it."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from simulator.kafka.errors import BrokerNotInstalledError

POM = Path(__file__).with_name("pom.xml")
MAVEN_SECONDS_MAX = 300


def cache_folder() -> Path:
    """Where jars are kept: `weir/kafka` in the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "weir" / "kafka"


def what_is_missing(cache: Path) -> str | None:
    """What must be installed before a broker can start, in words; None when nothing is."""
    missing = [] if shutil.which("java") else ["Java 17 (Debian: openjdk-17-jre-headless)"]
    if not folder_of(cache).is_dir() and not shutil.which("mvn"):
        missing.append("Maven (Debian: maven)")
    return " and ".join(missing) or None


def jars(cache: Path) -> Path:
    """The folder of the jars, filled by Maven where it is missing; several processes may ask at once.

    Raises `BrokerNotInstalledError`.
    """
    folder = folder_of(cache)
    if missing := what_is_missing(cache):
        raise BrokerNotInstalledError(f"the local Kafka broker needs {missing}")
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as temporary:
            fetched = _fetched(Path(temporary))
            # Renamed when whole: another process never sees half of it. The first to come wins.
            if not folder.is_dir():
                fetched.rename(folder)
    return folder


def folder_of(cache: Path) -> Path:
    """Where these very jars are kept, there or not: another pom has another folder."""
    return cache / hashlib.sha256(POM.read_bytes()).hexdigest()[:16]


def _fetched(temporary: Path) -> Path:
    libraries = temporary / "jars"
    command = ["mvn", "--batch-mode", "--quiet", "--file", str(POM), "dependency:copy-dependencies"]
    command += ["-DincludeScope=runtime", f"-DoutputDirectory={libraries}"]
    try:
        done = subprocess.run(
            command, cwd=temporary, capture_output=True, text=True, timeout=MAVEN_SECONDS_MAX, check=False
        )
    except subprocess.TimeoutExpired:
        raise BrokerNotInstalledError("Maven did not finish fetching the server's jars in time") from None
    if done.returncode != 0:
        raise BrokerNotInstalledError(
            f"Maven could not fetch the server's jars: {done.stdout[-800:].strip()}"
        )
    return libraries
