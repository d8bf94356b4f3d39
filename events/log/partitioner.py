"""Which partition a key falls into: murmur2, as Kafka's own producers compute it.

Source: the 32-bit MurmurHash2 of Austin Appleby with the seed that Apache Kafka fixed; the sign bit is
cleared before the remainder is taken. SQLite, kafka-python and confluent-kafka (`partitioner=murmur2_random`)
agree.
"""

_SEED = 0x9747B28C
_MULTIPLIER = 0x5BD1E995
_MASK = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """The unsigned 32-bit hash.

    >>> hex(murmur2(b"weir"))
    '0x3268a7f1'
    """
    size = len(data)
    value = _SEED ^ size
    whole = size & ~3
    for start in range(0, whole, 4):
        word = int.from_bytes(data[start : start + 4], "little") * _MULTIPLIER & _MASK
        word = (word ^ (word >> 24)) * _MULTIPLIER & _MASK
        value = (value * _MULTIPLIER & _MASK) ^ word
    if size != whole:
        value = (value ^ int.from_bytes(data[whole:], "little")) * _MULTIPLIER & _MASK
    value = (value ^ (value >> 13)) * _MULTIPLIER & _MASK
    return value ^ (value >> 15)


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key, 0 … `partitions` − 1.

    >>> partition_of(b"weir", 8)
    1
    """
    return (murmur2(key) & 0x7FFFFFFF) % partitions
