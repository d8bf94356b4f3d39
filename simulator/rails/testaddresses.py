"""The documented UPI test addresses: what their payers do, and when. In test mode alone."""

from dataclasses import dataclass

from simulator.rails.orders import BANK_DOWN, DECLINED, NO_FUNDS, NO_SUCH_ADDRESS, Reason


@dataclass(frozen=True)
class TestAddress:
    """One documented address. `after_seconds` None: nobody ever answers; `reason` None: the payer pays.

    `notices` is how often the member is told of it.
    """

    __test__ = False  # the name begins like a test; it is none

    address: str
    meaning: str
    after_seconds: int | None = 0
    reason: Reason | None = None
    notices: int = 1


TEST_ADDRESSES: tuple[TestAddress, ...] = (
    TestAddress("success@razorpay", "approves at once"),
    TestAddress("failure@razorpay", "declines at once", reason=DECLINED),
    TestAddress("late@weir", "approves after two minutes of the machine's clock", after_seconds=120),
    TestAddress("never@weir", "never answers", after_seconds=None),
    TestAddress("twice@weir", "approves at once, and it is told twice", notices=2),
    TestAddress("poor@weir", "approves, and the account holds too little", reason=NO_FUNDS),
    TestAddress("unknown@weir", "is no address of anybody", reason=NO_SUCH_ADDRESS),
    TestAddress("down@weir", "has a bank that does not answer", reason=BANK_DOWN),
)

BY_ADDRESS = {one.address: one for one in TEST_ADDRESSES}
