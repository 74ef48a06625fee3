"""The rows of the requirements, as scenarios."""

from tests.conformance.rows import browser, discovery, honest, renewal, strength, tenants, tokens, transport

ROWS = (honest, tokens, discovery, browser, transport, tenants, strength, renewal)
SCENARIOS = [scenario for rows in ROWS for scenario in rows.SCENARIOS]
