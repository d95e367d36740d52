from django.db import migrations, models
from django.db.models import F, Q


class Migration(migrations.Migration):
    dependencies = [("inventory", "0008_links_asked_for")]

    operations = [
        migrations.RemoveConstraint(model_name="stockmovement", name="movement_fits_kind"),
        migrations.AddConstraint(
            model_name="stockmovement",
            constraint=models.CheckConstraint(
                condition=Q(kind__in=["opening", "received", "returned"], on_hand_change__gt=0, allocated_change=0)
                | Q(kind="allocated", on_hand_change=0, allocated_change__gt=0)
                | Q(kind__in=["released", "unallocated"], on_hand_change=0, allocated_change__lt=0)
                | Q(kind="shipped", on_hand_change__lt=0, allocated_change=F("on_hand_change"))
                | Q(kind__in=["damaged", "lost"], on_hand_change__lt=0, allocated_change=0)
                | Q(kind="counted", allocated_change=0)
                | (Q(kind="corrected", allocated_change=0) & ~Q(on_hand_change=0)),
                name="movement_fits_kind",
            ),
        ),
    ]
