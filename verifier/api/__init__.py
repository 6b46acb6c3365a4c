"""The verifier's two surfaces: relying parties (our own API) and wallets (OpenID4VP)."""
