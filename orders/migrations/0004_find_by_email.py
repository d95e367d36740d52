from django.db import migrations, models
from django.db.models.functions import Upper


class Migration(migrations.Migration):
    dependencies = [("orders", "0003_any_language")]

    operations = [
        migrations.RemoveIndex(model_name="order", name="order_email"),
        migrations.AddIndex(model_name="order", index=models.Index(Upper("customer_email"), name="order_email_folded")),
    ]
