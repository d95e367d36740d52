from typing import Any

from django.apps.registry import Apps
from django.db import migrations

import orders.words
from orders.words import words_of

AT_ONCE = 500


def fill(apps: Apps, schema_editor: Any) -> None:
    """Find the orders, too, that are there already."""
    orders = apps.get_model("orders", "Order").objects.using(schema_editor.connection.alias)
    found = []
    for order in orders.only("id", "customer_name", "customer_email").iterator(AT_ONCE):
        order.words = words_of(order.customer_name, order.customer_email)
        found.append(order)
        if len(found) == AT_ONCE:
            orders.bulk_update(found, ["words"])
            found = []
    orders.bulk_update(found, ["words"])


class Migration(migrations.Migration):
    dependencies = [("orders", "0005_erasing_is_a_right")]

    operations = [
        migrations.AddField(
            model_name="order",
            name="words",
            field=orders.words.WordsField(default="", editable=False, help_text="by which the order is found"),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
