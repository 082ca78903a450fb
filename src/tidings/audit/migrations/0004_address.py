"""A change says from where it was asked for."""

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("audit", "0003_found_every_way")]
    operations: ClassVar = [
        migrations.AddField("change", "address", models.CharField(max_length=45, default="", db_default="")),
    ]
