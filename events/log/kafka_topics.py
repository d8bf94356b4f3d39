"""The declared topics on a Kafka cluster: made where missing, checked where they stand.

Kafka accepts a replication below `min.insync.replicas` silently and then refuses every write, and it does not
sync before it acknowledges. So both are looked at once, when the log is opened.
"""

import time
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic

from events.errors import LogUnavailableError, LogUnusableError
from events.log.kafka_names import TopicNames
from events.log.port import Durability
from events.topics import RECORD_BYTES_MAX, TOPICS, Topic

REPLICAS = 3
IN_SYNC_MIN = 2
BATCH_OVERHEAD_BYTES = 1024
"""Room for the headers of a batch that holds one record of the largest size."""

_POLL_SECONDS = 0.05
_DAY_MS = 24 * 60 * 60 * 1000


def prepare_topics(
    admin: AdminClient, names: TopicNames, deadline: float, *, create: bool = True
) -> Durability:
    """Make and check all topics before `deadline` (monotonic seconds); gives the durability.

    Raises `LogUnavailableError`, or `LogUnusableError` where a topic's set-up breaks what the port promises.
    """
    metadata = _metadata(admin, deadline)
    declared = {names.on_cluster(topic.name): topic for topic in TOPICS.values()}
    missing = {name: topic for name, topic in declared.items() if name not in metadata.topics}
    if missing and not create:
        raise LogUnavailableError(f"the cluster has no topic {', '.join(missing)}")
    if missing:
        _create(admin, missing, len(metadata.brokers), deadline)
    metadata = _metadata_with_leaders(admin, list(declared), deadline)
    configs = _configs(admin, list(declared), deadline)
    for name, topic in declared.items():
        _check_shape(name, topic, len(metadata.topics[name].partitions), configs[name])
    replicas = {
        name: min(len(partition.replicas) for partition in metadata.topics[name].partitions.values())
        for name in declared
    }
    return durability_of(replicas, configs)


def durability_of(replicas: dict[str, int], configs: dict[str, dict[str, str]]) -> Durability:
    """By the weakest topic; raises `LogUnusableError` where no write could ever succeed."""
    weak = []
    for name, copies in replicas.items():
        in_sync_min = int(configs[name]["min.insync.replicas"])
        if copies < in_sync_min:
            raise LogUnusableError(
                f"{name} has {copies} replicas, fewer than the {in_sync_min} it must write"
            )
        if in_sync_min < IN_SYNC_MIN and configs[name]["flush.messages"] != "1":
            weak.append(name)
    if weak:
        return Durability(
            "WEAK: a power loss may lose acknowledged records: neither two in-sync replicas nor"
            f" flush.messages=1 on {', '.join(sorted(weak))}",
            is_weak=True,
        )
    if all(int(configs[name]["min.insync.replicas"]) >= IN_SYNC_MIN for name in replicas):
        survived, how = "the loss of a broker", "two replicas in sync"
    else:
        survived, how = "a power loss", "every message synced to disk"
    return Durability(f"an acknowledged record survives {survived} (Kafka, acks=all, {how})")


def _metadata(admin: AdminClient, deadline: float) -> Any:
    try:
        return admin.list_topics(timeout=max(0.1, deadline - time.monotonic()))
    except KafkaException as error:
        raise LogUnavailableError(f"no Kafka broker can be reached: {error.args[0].str()}") from error


def _metadata_with_leaders(admin: AdminClient, names: list[str], deadline: float) -> Any:
    while True:
        metadata = _metadata(admin, deadline)
        if all(_has_leaders(metadata, name) for name in names):
            return metadata
        if time.monotonic() >= deadline:
            raise LogUnavailableError("the new topics have no leaders yet")
        time.sleep(_POLL_SECONDS)


def _has_leaders(metadata: Any, name: str) -> bool:
    found = metadata.topics.get(name)
    return (
        found is not None and all(p.leader >= 0 for p in found.partitions.values()) and bool(found.partitions)
    )


def _create(admin: AdminClient, topics: dict[str, Topic], brokers: int, deadline: float) -> None:
    replicas = min(REPLICAS, brokers)
    wanted = [
        NewTopic(
            name,
            num_partitions=topic.partitions,
            replication_factor=replicas,
            config=_config(topic, replicas),
        )
        for name, topic in topics.items()
    ]
    for name, made in admin.create_topics(
        wanted, request_timeout=max(0.1, deadline - time.monotonic())
    ).items():
        try:
            made.result()
        except KafkaException as error:
            # Another process opened the log at the same time and was first.
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise LogUnavailableError(f"{name} cannot be made: {error.args[0].str()}") from error


def _config(topic: Topic, replicas: int) -> dict[str, str]:
    in_sync_min = IN_SYNC_MIN if replicas >= REPLICAS else 1
    retention_ms = -1 if topic.retention_days is None else topic.retention_days * _DAY_MS
    config = {
        "cleanup.policy": "compact" if topic.compacted else "delete",
        "retention.ms": str(retention_ms),
        "min.insync.replicas": str(in_sync_min),
        "max.message.bytes": str(RECORD_BYTES_MAX + BATCH_OVERHEAD_BYTES),
    }
    # Without replicas in sync only the disk is left to rely on.
    return config if in_sync_min >= IN_SYNC_MIN else {**config, "flush.messages": "1"}


def _configs(admin: AdminClient, names: list[str], deadline: float) -> dict[str, dict[str, str]]:
    resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in names]
    while True:
        asked = admin.describe_configs(resources, request_timeout=max(0.1, deadline - time.monotonic()))
        try:
            return {
                resource.name: {name: entry.value for name, entry in answer.result().items()}
                for resource, answer in asked.items()
            }
        except KafkaException as error:
            # One broker of a cluster may not have heard yet of the topics that another has just made.
            unheard = error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART
            if not unheard or time.monotonic() >= deadline:
                raise LogUnavailableError(f"the topics cannot be described: {error.args[0].str()}") from error
        time.sleep(_POLL_SECONDS)


def _check_shape(name: str, topic: Topic, partitions: int, config: dict[str, str]) -> None:
    if partitions != topic.partitions:
        raise LogUnusableError(f"{name} has {partitions} partitions, declared are {topic.partitions}")
    if ("compact" in config["cleanup.policy"]) != topic.compacted:
        raise LogUnusableError(f"{name} has cleanup.policy={config['cleanup.policy']}")
