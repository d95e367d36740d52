from __future__ import annotations

from typing import Any

from django.db import migrations

EITHER = ("add_book", "change_book")


def let_import(apps: Any, schema_editor: Any) -> None:
    """Importing has become a right of its own: whoever could until now, because they add and change books, still may."""
    alias = schema_editor.connection.alias
    rights = apps.get_model("auth", "Permission").objects.using(alias).filter(content_type__app_label="catalog")
    imports = rights.filter(codename="import_books").first()
    if imports is None:  # a new shop: the groups are made after this, with it
        return
    for holders, field in (
        (apps.get_model("auth", "Group"), "permissions"),
        (apps.get_model("auth", "User"), "user_permissions"),
    ):
        could = holders.objects.using(alias)
        for codename in EITHER:
            could = could.filter(**{f"{field}__in": rights.filter(codename=codename)})
        for holder in could:
            getattr(holder, field).add(imports)


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0003_words_of_books"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [migrations.RunPython(let_import, migrations.RunPython.noop)]
