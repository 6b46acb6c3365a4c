"""A transaction code that the issuer does not take, and how many tries it leaves where it says so."""

from comity import strict_json
from comity.errors import Code, Denied, Malformed
from comity.openid.issuance import attempts
from comity.ports import Fetched

_USED_UP = "the issuer does not accept the code, or the offer is used up"


class WrongCode(Denied):
    """The issuer did not take the transaction code.

    Attributes:
        code: ``transaction_code_wrong``, or ``transaction_code_attempts_exhausted`` when the issuer says that no try
            is left.
        tries_left: what the issuer says; None where it does not.
    """

    def __init__(self, tries_left: int | None) -> None:
        if tries_left == 0:
            super().__init__(Code.TRANSACTION_CODE_ATTEMPTS_EXHAUSTED, "the issuer has closed the offer")
        else:
            super().__init__(Code.TRANSACTION_CODE_WRONG, _USED_UP)
        self.tries_left = tries_left


def told_by(answer: Fetched, *, is_typed: bool) -> Denied:
    """Return what to tell of an issuer's ``invalid_grant``, for a transaction code that a person typed or without one.

    What was wrong is not certain where the issuer says no more: an offer that is used up is answered alike.
    """
    if not is_typed:
        return Denied(Code.CODE_ALREADY_USED, _USED_UP)
    try:
        return WrongCode(attempts.read(strict_json.parse_object(answer.body)))
    except Malformed:
        return WrongCode(None)
