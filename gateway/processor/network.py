"""The acquirer network as the processor sees it: a question goes out, its answer comes back."""

from typing import Protocol


class AcquirerNetwork(Protocol):
    """Carries ISO 8583 messages; several may be under way at once."""

    async def exchange(self, message: bytes) -> bytes:
        """The answer to `message`, which the caller still checks against it.

        Raises `AcquirerUnreachableError` where nothing has left, and `AcquirerSilentError` where the message
        may have arrived but no answer came in time; a late answer is dropped.
        """
        ...
