"""What an issuer remembers, as synchronous functions over one SQLAlchemy ``Connection``.

Run through ``Database.write`` and ``Database.read``. Instants are whole Unix seconds. What must never be stored is
not here at all: claims in the clear, holder keys, salts, issued credentials, codes and tokens.
"""

from sqlalchemy import Connection

from issuer.store import console_tables as console_tables
from issuer.store import refused as refused
from issuer.store import reissues as reissues
from issuer.store import webhooks as webhooks
from issuer.store.tables import metadata

__all__ = ["Connection", "metadata"]
