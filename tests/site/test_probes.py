import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from bookshelf_site import probes


@pytest.fixture(autouse=True)
def asked_for_the_first_time(monkeypatch):
    monkeypatch.setattr(probes, "_schema_is_current", False)


def test_a_process_that_answers_is_alive(client):
    response = client.get("/livez")

    assert (response.status_code, response.json()) == (200, {"status": "alive"})


@pytest.mark.django_db
def test_a_database_with_all_migrations_is_ready(client):
    response = client.get("/readyz")

    assert (response.status_code, response.json()) == (200, {"status": "ready"})


@pytest.mark.django_db
def test_a_database_that_lacks_a_migration_is_not_ready(client):
    MigrationRecorder(connection).record_unapplied("auth", "0012_alter_user_first_name_max_length")

    response = client.get("/readyz")

    assert (response.status_code, response.json()) == (503, {"status": "not ready", "missing": ["migrations"]})


@pytest.mark.django_db
def test_migrations_are_asked_for_only_until_they_are_there(client, django_assert_num_queries):
    client.get("/readyz")

    with django_assert_num_queries(1):
        client.get("/readyz")


def test_a_database_that_does_not_answer_is_not_ready(client):
    # pytest-django refuses every query of a test without `django_db`.
    response = client.get("/readyz")

    assert (response.status_code, response.json()) == (503, {"status": "not ready", "missing": ["database"]})


@pytest.mark.parametrize("path", ["/livez", "/metrics"])
def test_a_probe_may_come_by_a_bare_address_and_without_https(client, settings, path):
    settings.SECURE_SSL_REDIRECT = True

    assert client.get(path, HTTP_HOST="10.1.2.3:8000").status_code == 200


def test_metrics_are_in_the_format_of_prometheus(client):
    response = client.get("/metrics")

    assert response["Content-Type"].startswith("text/plain; version=")
    assert b"\n# TYPE python_info gauge\n" in response.content


def test_metrics_are_not_found_where_their_library_is_missing(client, monkeypatch):
    monkeypatch.setattr(probes, "prometheus_client", None)

    assert client.get("/metrics").status_code == 404
