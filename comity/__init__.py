"""The library that the issuer, the wallet and the verifier share.

Import direction is downwards only and kept by import-linter (see ``pyproject.toml`` and ``tests/house``)::

    cli → demo → web → runtime → verification → openid → dcql | status | trust → formats → did
        → jwe → jose | x509 → keys → jcs | strict_json → base64url | credential → ports → errors
"""
