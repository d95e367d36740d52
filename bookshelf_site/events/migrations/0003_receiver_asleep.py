from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("events", "0002_delivery_target"),
    ]

    operations = [
        migrations.AddField(
            model_name="receiver",
            name="asleep",
            field=models.BooleanField(
                db_default=False, default=False, editable=False, help_text="nobody is to be told: it is owed nothing"
            ),
        ),
    ]
