"""What a learner keeps of itself, beside the rows of its store. Their order is the format."""

import msgspec

from models.observations import Label


class Published(msgspec.Struct, array_like=True):
    """The newest versions published."""

    online: int
    batch: int


class News(msgspec.Struct, array_like=True):
    """Whether anything was learned since the last snapshot, and labeled since the last refit."""

    unpublished: bool
    unfitted: bool


class LearnerState(msgspec.Struct, array_like=True):
    """Models as their own bytes; `pending` labels wait for a cut, `waiting` ones for their payments."""

    champion: bytes
    average: bytes
    average_cuts: int
    challenger: bytes
    cut_at_us: int | None
    published: Published
    news: News
    pending: list[Label]
    waiting: list[Label]
