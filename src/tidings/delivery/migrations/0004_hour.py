"""What came in and went out, hour by hour."""

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("delivery", "0003_health")]
    operations: ClassVar = [
        migrations.CreateModel(
            name="Hour",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("tenant_id", models.UUIDField()),
                ("hour", models.DateTimeField()),
                ("what", models.TextField()),
                ("channel", models.TextField()),
                ("reason", models.TextField()),
                ("step", models.SmallIntegerField()),
                ("count", models.BigIntegerField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("tenant_id", "hour", "what", "channel", "reason", "step"), name="hour_of"
                    )
                ],
            },
        ),
    ]
