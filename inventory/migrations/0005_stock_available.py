from django.db import migrations, models
from django.db.models import F


class Migration(migrations.Migration):
    dependencies = [("inventory", "0004_stocktakes_scan_by_scan")]

    operations = [
        migrations.AddIndex(
            model_name="stockitem",
            index=models.Index(F("on_hand") - F("allocated"), name="stock_available"),
        )
    ]
