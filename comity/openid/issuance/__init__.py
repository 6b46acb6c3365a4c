"""OpenID4VCI 1.0: offer, metadata, credential request and response, notification."""
