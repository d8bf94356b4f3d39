"""A log by its URL."""

import re
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from events.errors import LogUnavailableError, LogUnusableError
from events.log.port import Log
from events.log.sqlite import DURABILITY, SqliteLog

APPEND_SECONDS_MAX = 5.0
OUTAGE_SECONDS_MAX = 60.0
"""For programs that can do nothing without the log. They wait in place, and go on the moment that a broker is
back, while a new life takes seconds, and a supervisor gives up who dies too often."""
_SERVER = r"(?:[\w.\-]+|\[[\w:]+\]):\d+"


def open_log(url: str, *, append_seconds_max: float = APPEND_SECONDS_MAX, create: bool = True) -> Log:
    """The log at `sqlite:///ABSOLUTE/PATH`, or at `kafka://HOST:PORT[,HOST:PORT][/PREFIX]`.

    With `create` what is missing is made: the file, or the topics (named `PREFIX.…` where one is given).
    `kafka+python://` produces with kafka-python instead of confluent-kafka. `?synchronous=NORMAL|OFF` weakens
    the embedded log, as its `durability` then says. Opening takes at most `append_seconds_max`, as an append.
    Raises `LogUnavailableError` (try later) or `LogUnusableError` (mend it).
    """
    scheme, separator, _ = url.partition("://")
    if separator and scheme == "sqlite":
        return _sqlite(url, append_seconds_max, create)
    if separator and scheme in {"kafka", "kafka+python"}:
        return _kafka(url, append_seconds_max, create)
    raise LogUnusableError("a log's URL begins with sqlite:///, kafka:// or kafka+python://")


def _sqlite(url: str, append_seconds_max: float, create: bool) -> Log:
    parts = urlsplit(url)
    synchronous = parse_qs(parts.query).get("synchronous", ["FULL"])[0].upper()
    if parts.netloc or not parts.path.strip("/"):
        raise LogUnusableError("the embedded log's URL is sqlite:///ABSOLUTE/PATH")
    if synchronous not in DURABILITY:
        raise LogUnusableError(f"synchronous is one of {', '.join(DURABILITY)}")
    path = Path("/" + unquote(parts.path).lstrip("/"))
    if not create and not path.exists():
        raise LogUnavailableError(f"there is no log {path}: start `weir up`, or give its --home")
    return SqliteLog(path, synchronous=synchronous, append_seconds_max=append_seconds_max)


def _kafka(url: str, append_seconds_max: float, create: bool) -> Log:
    # Here, so that who uses no Kafka does not wait for its clients to be imported.
    from events.log.kafka import KafkaLog
    from events.log.kafka_confluent import ConfluentSender
    from events.log.kafka_names import TopicNames
    from events.log.kafka_python import PythonSender

    parts = re.fullmatch(rf"(kafka(?:\+python)?)://({_SERVER}(?:,{_SERVER})*)(?:/([\w.\-]*))?", url)
    if parts is None:
        raise LogUnusableError("a Kafka log's URL is kafka://HOST:PORT[,HOST:PORT][/PREFIX]")
    scheme, bootstrap, prefix = parts.groups()
    make_sender = ConfluentSender if scheme == "kafka" else PythonSender
    names = TopicNames(prefix or "")
    return KafkaLog(bootstrap, names, make_sender, append_seconds_max=append_seconds_max, create=create)
