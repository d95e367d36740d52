from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("inventory", "0006_told_of_webhooks")]

    operations = [
        migrations.AddIndex(
            model_name="notification",
            index=models.Index(
                fields=["created_at", "id"], condition=models.Q(status="failed"), name="notification_failed"
            ),
        ),
    ]
