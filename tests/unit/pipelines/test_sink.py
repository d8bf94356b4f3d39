"""Which replies the sink sends: each request is answered once, whatever a flow computes again."""

from events.log.port import Outgoing
from pipelines.sink import Reply, unanswered


def reply(partition: int, request_offset: int) -> Reply:
    return Reply(request_offset, Outgoing("decisions", b"card", b"%d" % request_offset, partition))


def test_only_requests_after_the_last_answered_one_of_their_partition_are_answered() -> None:
    replies = [reply(0, 4), reply(1, 4), reply(0, 5), reply(1, 5)]

    assert unanswered(replies, {0: 4, 1: -1}) == [reply(1, 4), reply(0, 5), reply(1, 5)]


def test_what_answers_no_request_is_always_sent() -> None:
    refused = Reply(None, Outgoing("dead-letters", b"assessments", b"why"))

    assert unanswered([refused, reply(0, 1)], {0: 9}) == [refused]
