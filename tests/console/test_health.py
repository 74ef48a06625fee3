"""What operators and proxies ask."""

import pytest
from django.test import Client, override_settings

pytestmark = pytest.mark.servers


@pytest.mark.django_db
def test_a_process_that_answers_is_healthy_and_one_that_can_serve_is_ready() -> None:
    assert Client().get("/healthz").status_code == 200
    ready = Client().get("/readyz")
    assert ready.status_code == 200
    assert ready.json() == {"database": True, "redis": True}


@pytest.mark.django_db
def test_without_redis_people_are_served_all_the_same_and_the_operator_is_told() -> None:
    with override_settings(REDIS_URL="redis://127.0.0.1:1/0"):
        ready = Client().get("/readyz")
    assert ready.status_code == 200
    assert ready.json() == {"database": True, "redis": False}
