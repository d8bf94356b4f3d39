"""A local Kafka broker: Apache Kafka's own server, one node, for the demo, tests and benchmarks."""
