"""The longest key is a table's path: three names of 200 characters."""

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("audit", "0001_initial")]
    operations: ClassVar = [migrations.AlterField("change", "key", models.CharField(max_length=640))]
