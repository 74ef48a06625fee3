"""Providers that misbehave on purpose, each signing somebody in through the real console, and what comes of it."""
