from typing import Any

from django.apps.registry import Apps
from django.db import migrations

import catalog.words
from catalog.words import words_of


def fill(apps: Apps, schema_editor: Any) -> None:
    """Find the books, too, that are there already."""
    books = apps.get_model("catalog", "Book").objects.using(schema_editor.connection.alias)
    for book in books.only("id", "title", "author", "isbn").iterator():
        books.filter(pk=book.pk).update(words=words_of(book.title, book.author, book.isbn))


class Migration(migrations.Migration):
    dependencies = [("catalog", "0002_imports_at_the_desk")]

    operations = [
        migrations.AddField(
            model_name="book",
            name="words",
            field=catalog.words.WordsField(default="", editable=False, help_text="by which the book is found"),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
