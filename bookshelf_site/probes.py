"""What an orchestrator and a monitor ask: is it alive, is it ready, how is it doing."""

from collections.abc import Callable
from typing import Final

import structlog
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse

try:
    import prometheus_client
except ImportError:  # the extra `metrics` is not installed
    prometheus_client = None  # type: ignore[assignment]  # a module, or nothing

log = structlog.stdlib.get_logger("bookshelf.probes")

_schema_is_current = False


def livez(request: HttpRequest) -> HttpResponse:
    """The process answers; it asks nobody else, so that a broken database doesn't get it killed."""
    return JsonResponse({"status": "alive"})


def readyz(request: HttpRequest) -> HttpResponse:
    """The database answers and has every migration that this code needs."""
    missing = _missing()
    if missing:
        return JsonResponse({"status": "not ready", "missing": missing}, status=503)
    return JsonResponse({"status": "ready"})


def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus' text format; 404 where the extra `metrics` is not installed."""
    if prometheus_client is None:
        return JsonResponse({"status": "prometheus-client is not installed"}, status=404)
    # Whoever has something to measure registers a collector with prometheus_client.REGISTRY in its AppConfig.ready().
    return HttpResponse(prometheus_client.generate_latest(), content_type=prometheus_client.CONTENT_TYPE_LATEST)


def _missing() -> list[str]:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        return [] if _has_current_schema() else ["migrations"]
    # A pool that finds no server in time raises an error of its own, which is no DatabaseError.
    except Exception as error:
        log.warning("not ready", missing="database", error=type(error).__name__)
        return ["database"]


def _has_current_schema() -> bool:
    # Asked once: a schema that has caught up with this process' code stays so.
    global _schema_is_current  # noqa: PLW0603  # known to the whole process
    if not _schema_is_current:
        executor = MigrationExecutor(connection)
        _schema_is_current = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    return _schema_is_current


PROBES: Final[dict[str, Callable[[HttpRequest], HttpResponse]]] = {
    "/livez": livez,
    "/readyz": readyz,
    "/metrics": metrics,
}
