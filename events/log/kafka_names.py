"""What the topics are called on a Kafka cluster: several platforms may share one, each with its prefix."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TopicNames:
    """Translates names both ways. An empty prefix leaves them as declared.

    >>> TopicNames("staging").on_cluster("payments")
    'staging.payments'
    >>> TopicNames("staging").declared("staging.payments")
    'payments'
    """

    prefix: str = ""

    def on_cluster(self, topic: str) -> str:
        """The name on the cluster of a declared topic."""
        return f"{self.prefix}.{topic}" if self.prefix else topic

    def declared(self, name: str) -> str:
        """The declared topic of a name on the cluster."""
        return name.removeprefix(f"{self.prefix}.") if self.prefix else name
