"""Sending a lost link again. Who asks is told the same in the same time, whether there is such an order or not.

The request notes what was typed in and looks for nothing; a relay looks later, when nobody waits for an answer.
"""

from __future__ import annotations

import ipaddress
from typing import Final

from django.utils.crypto import salted_hmac

from bookshelf_site.events import acting, unit_of_work
from orders.models import LinkLimit, LinkRequest, Order

PER_ADDRESS: Final = 5
PER_CLIENT: Final = 20
ANSWERED_AT_ONCE: Final = 500


@unit_of_work
def request_link(*, number: str, email: str, client: str) -> None:
    """Note that somebody at this client wants the link of this order sent to this address.

    Raises TooManyRequests if either was named too often within the hour.
    """
    most = {_hashed("address", email.casefold()): PER_ADDRESS, _hashed("client", _network(client)): PER_CLIENT}
    for limit in LinkLimit.objects.locked_for(most):
        limit.count(most=most[limit.subject])
        limit.save()
    LinkRequest.objects.create(number=number, email=email)


def answer_link_requests() -> list[Order]:
    """Look whose link is to be sent, each request in a transaction of its own; several relays may do so at once."""
    asked = LinkRequest.objects.order_by("pk").values_list("pk", flat=True)[:ANSWERED_AT_ONCE]
    answered = [_answer(request_id) for request_id in list(asked)]
    LinkLimit.objects.past().delete()
    return [order for order in answered if order]


@unit_of_work
def _answer(request_id: int) -> Order | None:
    """The order whose link was asked for; None if there is none with this number and address."""
    request = LinkRequest.objects.taken(request_id)
    if request is None:
        return None
    request.delete()
    order = Order.objects.locked().filter(number=request.number).with_email(request.email).first()
    if order is None:
        return None
    order.request_link()
    with acting(actor="customer"):
        order.save(update_fields=["updated_at"])
    return order


def _hashed(kind: str, name: str) -> str:
    return salted_hmac("orders.finding", f"{kind}:{name}", algorithm="sha256").hexdigest()


def _network(client: str) -> str:
    """Who has one address of IPv6 has 2⁶⁴ of them."""
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return client
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else client
