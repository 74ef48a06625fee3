"""The rows of the requirements, as scenarios."""

from tests.conformance.rows import browser, discovery, honest, renewal, tenants, tokens, transport

ROWS = (honest, tokens, discovery, browser, transport, tenants, renewal)
SCENARIOS = [scenario for rows in ROWS for scenario in rows.SCENARIOS]
