"""The issuer's faces over HTTP: OpenID4VCI for wallets, an API for operators, documents for everybody."""
