"""OpenID messages (OpenID4VCI 1.0, OpenID4VP 1.0, the OAuth parts they need): parsed strictly, built exactly, no I/O.

Every message is a frozen value used by issuer, wallet and verifier alike, so that the two ends of a wire cannot drift
apart. What a message says is checked here; who may say it (trust, tokens, stored state) is not.
"""
