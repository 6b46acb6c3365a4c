"""Status lists: one store of bits, published in two forms (profile §3).

``bits`` packs and compresses; ``token_list`` and ``bitstring_list`` sign, open and decode the two documents;
``status_list`` is what both become. Fetching, caching and judging how fresh a list is belong to
``comity.verification.status`` and ``comity.runtime``.
"""

from comity.status.bits import StatusBits
from comity.status.status_list import OpenedStatusList, StatusList

__all__ = ["OpenedStatusList", "StatusBits", "StatusList"]
