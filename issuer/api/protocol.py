"""Routes for wallets: what they refuse is counted, and told as OAuth 2.0 writes errors."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response

from comity.errors import ComityError
from comity.openid.refusal import OAuthError
from comity.web import problems
from comity.web.counted import DirectRoute


class ProtocolRoute(DirectRoute):
    """A route whose errors wallets understand.

    Codes that the protocol chose are answered by the application's handler, with the headers that belong to them;
    everything else, such as an authority that is not here, is told with the code that comes closest.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, with its errors answered as the protocol wants."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except OAuthError:
                raise
            except ComityError as error:
                return problems.protocol_error(error)

        return answer
