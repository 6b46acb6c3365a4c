"""*Later*, said at the door: a request for which there is no room costs a few lines here instead of an application.

Somebody who is turned away by the application has already had a task, a scope, headers and a document made for them;
under three times its capacity a service would spend most of its time on that (``tests/faults/test_overload.py``). So
what :class:`comity.web.admission.Admission` would refuse is refused when its head was read, in the same words. It still
decides: of those who come in one breath for the last place, all but one are told by the application.

Health and metrics are always let through, and so are people, who get a page, and ``HEAD``, whose answer has no body.
"""

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from comity.web import i18n
from comity.web.admission import ALWAYS_ANSWERED, Room

_ALWAYS = frozenset(path.encode("ascii") for path in ALWAYS_ANSWERED)
_PAGES = tuple(f"/{language}".encode("ascii") for language in i18n.LANGUAGES)


class Doorstep(HttpToolsProtocol):
    """uvicorn's protocol, which asks whether there is room before it makes anything of a request."""

    _is_turned_away = False

    def on_headers_complete(self) -> None:
        """Say *later*, or let the application begin."""
        room: Room | None = getattr(getattr(self.config.loaded_app, "state", None), "room", None)
        self._is_turned_away = room is not None and room.is_full and self._may_be_turned_away()
        if room is None or not self._is_turned_away:
            super().on_headers_complete()
            return
        later = room.later(i18n.choose(self._header(b"accept-language").decode("latin-1")))
        self.transport.write(later if self._stays() else _last(later))
        room.count(self.parser.get_method().decode("ascii"))

    def on_body(self, body: bytes) -> None:
        """Drop the body of one who was turned away."""
        if not self._is_turned_away:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Wait for the next request on this connection, or end it."""
        if not self._is_turned_away:
            super().on_message_complete()
            return
        self._is_turned_away = False
        if not self._stays():
            self.transport.close()
        self.on_response_complete()

    def _may_be_turned_away(self) -> bool:
        """Whether the answer is a program's and has a body, and none before it on this connection is still owed."""
        cycle: Any = self.cycle
        path = self.url.partition(b"?")[0]
        return (
            (cycle is None or cycle.response_complete)
            and path not in _ALWAYS
            and not path.startswith(_PAGES)
            and b"text/html" not in self._header(b"accept")
            and self.parser.get_method() != b"HEAD"  # RFC 9110 §9.3.2
        )

    def _stays(self) -> bool:
        return self.parser.get_http_version() == "1.1" and self.parser.should_keep_alive()

    def _header(self, name: bytes) -> bytes:
        return next((value for each, value in self.headers if each == name), b"")


def _last(answer: bytes) -> bytes:
    """Return ``answer`` as the last one on its connection (RFC 9112 §9.6)."""
    status, _, rest = answer.partition(b"\r\n")
    return b"%b\r\nconnection: close\r\n%b" % (status, rest)
