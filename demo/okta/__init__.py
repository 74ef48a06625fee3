"""The demo Okta: a real OpenID provider for trying Gatehouse. Never for production."""
