"""Partitions by key: the same as Kafka's own clients compute."""

from hypothesis import given
from hypothesis import strategies as st
from kafka.partitioner.default import murmur2 as kafka_murmur2

from events.log.partitioner import murmur2, partition_of


@given(st.binary(max_size=64), st.integers(1, 64))
def test_any_key_falls_into_the_partition_that_kafka_python_chooses(key: bytes, partitions: int) -> None:
    assert partition_of(key, partitions) == (kafka_murmur2(key) & 0x7FFFFFFF) % partitions


def test_the_hash_is_the_one_that_kafka_fixed_in_its_own_tests() -> None:
    # Signed there; from UtilsTest.testMurmur2 of Apache Kafka.
    assert murmur2(b"21") == -973932308 & 0xFFFFFFFF
    assert murmur2(b"foobar") == -790332482 & 0xFFFFFFFF
    assert murmur2(b"a-little-bit-long-string") == -985981536 & 0xFFFFFFFF
