"""OpenID4VP 1.0: client identifiers, the signed request and the response."""
