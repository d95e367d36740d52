from typing import Any

from django.apps.registry import Apps
from django.db import migrations
from django.db.models.functions import Length

from bookshelf_site.words import LONGEST
from catalog.words import words_of


def cut(apps: Apps, schema_editor: Any) -> None:
    """Keep of very long words so much as is kept of them by now: what is more, PostgreSQL's index would refuse."""
    books = apps.get_model("catalog", "Book").objects.using(schema_editor.connection.alias)
    long = books.alias(length=Length("words")).filter(length__gt=LONGEST)
    for book in long.only("id", "title", "author", "isbn", "words").iterator():
        fitting = words_of(book.title, book.author, book.isbn)
        if book.words != fitting:
            books.filter(pk=book.pk).update(words=fitting)


class Migration(migrations.Migration):
    dependencies = [("catalog", "0004_who_may_import")]

    operations = [migrations.RunPython(cut, migrations.RunPython.noop)]
