"""An event as other programs get it: CloudEvents 1.0 in JSON, the same in the feed and in a webhook."""

from __future__ import annotations

from datetime import UTC
from typing import Annotated, Any, Literal, NotRequired

from django.conf import settings
from pydantic import Field
from typing_extensions import TypedDict

from bookshelf_site.events.models import Event


class CloudEvent(TypedDict):
    """Something that happened in the shop, as CloudEvents 1.0. What is not known is left out.

    `data` is as it was written, in the version that `dataversion` names, for ever. Personal data is not in it: names
    are asked for where they can be corrected and erased, under the id in `subject`.
    """

    specversion: Literal["1.0"]
    id: Annotated[str, Field(description="the event's own, a UUID: by it a repetition is known")]
    source: Annotated[str, Field(description="the shop's address")]
    type: Annotated[str, Field(description="such as `orders.order_placed`")]
    subject: NotRequired[Annotated[str, Field(description="the id of what it happened to, such as the order's")]]
    time: Annotated[str, Field(description="when it happened", json_schema_extra={"format": "date-time"})]
    datacontenttype: Literal["application/json"]
    dataversion: Annotated[int, Field(description="the version of `data` under this `type`")]
    correlationid: NotRequired[Annotated[str, Field(description="the `X-Request-ID` of the request behind it")]]
    causationid: NotRequired[Annotated[str, Field(description="the `id` of the event that caused it")]]
    position: NotRequired[Annotated[int, Field(description="its place in the one order of all events")]]
    data: dict[str, Any]


def cloud_event(event: Event) -> CloudEvent:
    """The row as a CloudEvent. Isn't decoded for it, so that no event can ever stop the feed."""
    written: CloudEvent = {
        "specversion": "1.0",
        "id": str(event.uid),
        "source": settings.PUBLIC_URL,
        "type": event.name,
        "time": event.occurred_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "dataversion": event.version,
        "data": event.data,
    }
    if subject := event.stream.partition(":")[2]:
        written["subject"] = subject
    if event.correlation_id:
        written["correlationid"] = event.correlation_id
    if event.causation_id is not None:
        written["causationid"] = str(event.causation_id)
    if event.position is not None:
        written["position"] = event.position
    return written
