"""The rows of the requirements, as scenarios."""

from tests.conformance.rows import browser, discovery, honest, tenants, tokens, transport

SCENARIOS = [
    scenario for rows in (honest, tokens, discovery, browser, transport, tenants) for scenario in rows.SCENARIOS
]
