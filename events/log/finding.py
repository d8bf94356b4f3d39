"""Which log is meant: `--log` in any of its forms, else the one that the home was last run on."""

from pathlib import Path

from events.errors import LogUnusableError

LOCAL_BROKER = "kafka"
"""`--log kafka` without an address: `weir up` starts a broker beside the platform."""

REMEMBERED = "log-url"
"""The file in the home that holds the URL of the log that it was last run on."""


def log_url(log: str, home: Path, bootstrap_servers: str = "") -> str:
    """The log's URL of a `--log` value, or `LOCAL_BROKER`; raises `LogUnusableError`.

    >>> log_url("sqlite", Path("/var/weir"))
    'sqlite:////var/weir/log.sqlite'
    >>> log_url("kafka:broker:9092", Path("/var/weir"))
    'kafka://broker:9092'
    >>> log_url("kafka", Path("/var/weir"))
    'kafka'
    """
    if marks := url_marks(home):
        raise LogUnusableError(f"--home {home}: a home's path cannot hold {marks}")
    scheme, _, place = log.partition(":")
    if scheme == "sqlite":
        path = Path("/" + place.lstrip("/") if place.startswith("/") else place).absolute()
        return f"sqlite:///{path if place else home.absolute() / 'log.sqlite'}"
    if scheme == "kafka":
        servers = place.removeprefix("//") or bootstrap_servers
        return f"kafka://{servers}" if servers else LOCAL_BROKER
    raise LogUnusableError(f"--log {log!r}: give sqlite, sqlite:///PATH, kafka, or kafka://HOST:PORT")


def url_marks(home: Path) -> str:
    """What a home's path must not hold: stores are named by URLs, where it would stand for something else.

    >>> url_marks(Path("/var/50%?")), url_marks(Path("/var/weir"))
    ('% ?', '')
    """
    return " ".join(sorted(set("#?%") & set(str(home.absolute()))))


def find_log(given: str | None, home: Path, bootstrap_servers: str = "") -> str:
    """The URL of a log that exists, for a command beside a platform; raises `LogUnusableError`."""
    if given is None:
        return _remembered(home) or log_url("sqlite", home)
    url = log_url(given, home, bootstrap_servers)
    if url != LOCAL_BROKER:
        return url
    remembered = _remembered(home)
    if remembered is not None and remembered.startswith("kafka:"):
        return remembered
    raise LogUnusableError(f"{home} was not run on Kafka last: give --log kafka://HOST:PORT")


def remember_log(home: Path, url: str) -> None:
    """Keep the URL in the home, so that no command beside the platform needs `--log`."""
    temporary = home / f".{REMEMBERED}.new"
    temporary.write_text(url + "\n")
    temporary.replace(home / REMEMBERED)


def _remembered(home: Path) -> str | None:
    path = home / REMEMBERED
    if not path.exists():
        return None
    url = path.read_text().strip()
    if not url:  # written and not yet on disk when the machine lost its power
        raise LogUnusableError(f"{path} is empty: give --log, and start the platform once with it")
    return url
