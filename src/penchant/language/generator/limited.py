"""An HTTP client that sends what it is told to, reads no more than that, and is not led away."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2

SENT = frozenset({"host", "content-type", "content-length", "accept", "connection", "user-agent"})


class TooMuch(Exception):
    """The server sent more than is read, or packed it so that its size cannot be seen."""


class Limited(httpx2.AsyncByteStream):
    """The bytes of an answer; raises TooMuch where there are more than `most`."""

    def __init__(self, stream: httpx2.AsyncByteStream, most: int) -> None:
        self._stream = stream
        self._most = most

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield what comes, as it comes."""
        left = self._most
        async for part in self._stream:
            left -= len(part)
            if left < 0:
                raise TooMuch(f"the answer has more than {self._most:,} bytes")
            yield part

    async def aclose(self) -> None:
        """Close what is read."""
        await self._stream.aclose()


def limited_client(most: int, seconds: float, authorization: str) -> httpx2.AsyncClient:
    """Return a client whose answers have at most `most` bytes, those that tell of errors too.

    Whoever uses it, what goes out has no headers but `SENT`, and this authorization.
    """

    async def strip(request: httpx2.Request) -> None:
        # OpenAI's client adds what its own variables of the environment say (an account, headers of
        # any name), whatever the address is, and which machine this is.
        for name in set(request.headers) - SENT:
            del request.headers[name]
        request.headers["Accept-Encoding"] = "identity"
        request.headers["Authorization"] = authorization

    async def limit(response: httpx2.Response) -> None:
        if (packed := response.headers.get("content-encoding", "identity")) != "identity":
            raise TooMuch(f"the answer is packed ({packed}), which was not asked for")
        stream = response.stream
        assert isinstance(stream, httpx2.AsyncByteStream)
        response.stream = Limited(stream, most)

    # A redirect would take what is sent to an address that nobody named and doctor does not list.
    return httpx2.AsyncClient(
        timeout=seconds,
        follow_redirects=False,
        event_hooks={"request": [strip], "response": [limit]},
    )
