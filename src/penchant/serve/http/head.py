"""The head of a request: its line and its headers are held to a size before anybody reads them.

The parser below has no limit of its own: a client that sends headers without end would fill the
memory. What cannot be parsed is answered here, too, as no application ever hears of it.
"""

from __future__ import annotations

import secrets

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from penchant.serve.http.problems import Problem

MOST = 65_536  # bytes of a head; servers and proxies allow 8 to 64 kB

_TOO_LARGE = Problem(
    431,
    f"expected a request line and headers of at most {MOST:,} bytes together; put long lists and "
    "ids into a body (POST)",
)
_MALFORMED = Problem(
    400,
    "expected a request of HTTP/1.1 with a percent-encoded path; got something that cannot be "
    "parsed. Is it meant for another service, or for TLS?",
)


class Head(HttpToolsProtocol):
    """A connection whose requests begin with a head of at most `MOST` bytes."""

    _inside = False
    _size = 0

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._inside, self._size = True, 0

    def on_headers_complete(self) -> None:
        """End its head."""
        self._inside = False
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Take what came; refuse what goes on and on."""
        super().data_received(data)
        if self._inside:
            self._size += len(data)
            if self._size > MOST and not self.transport.is_closing():
                self._refuse(_TOO_LARGE)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no request; the parser gives up an address that is too long, too."""
        self._refuse(_TOO_LARGE if len(self.url) >= MOST else _MALFORMED)

    def _refuse(self, problem: Problem) -> None:
        request_id = secrets.token_hex(8)
        answer = problem.response(request_id)
        lines = [
            STATUS_LINE[problem.status],
            *(name + b": " + value + b"\r\n" for name, value in answer.raw_headers),
            f"x-request-id: {request_id}\r\nconnection: close\r\n\r\n".encode(),
            answer.body,
        ]
        self.transport.write(b"".join(lines))
        self.transport.close()
