"""Routes for wallets: what they refuse is counted, and told as OAuth 2.0 writes errors."""

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

    async def refuse(self, request: Request, error: ComityError) -> Response:
        """Answer as the protocol wants."""
        return await super().refuse(request, error) if isinstance(error, OAuthError) else problems.protocol_error(error)
