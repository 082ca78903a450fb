"""What a source is set up with for its own payloads, and those that nobody could read yet."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("events", "0002_body")]
    operations: ClassVar = [
        migrations.CreateModel(
            name="Intake",
            fields=[
                ("source_id", models.UUIDField(primary_key=True, serialize=False)),
                ("tenant_id", models.UUIDField()),
                ("adapter", models.TextField()),
                ("mapping", models.JSONField()),
                ("ignored_people", ArrayField(base_field=models.TextField(), size=None)),
                ("sealed", models.BinaryField(null=True)),
                ("version", models.IntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="Parked",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("tenant_id", models.UUIDField()),
                ("source", models.TextField()),
                ("adapter", models.TextField()),
                ("reason", models.TextField()),
                ("detail", models.TextField()),
                ("words", models.JSONField()),
                ("headers", models.JSONField()),
                ("body", models.TextField()),
                ("hash", models.BinaryField(max_length=16)),
                ("times", models.IntegerField()),
                ("last_at", models.DateTimeField()),
                ("resolved_at", models.DateTimeField(null=True)),
                ("became", models.JSONField(null=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("tenant_id", "source", "hash"), name="parked_once"),
                ],
                "indexes": [
                    models.Index(
                        condition=models.Q(("resolved_at", None)),
                        fields=["tenant_id", "source", "id"],
                        name="parked_waiting",
                    ),
                ],
            },
        ),
    ]
