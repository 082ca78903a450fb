"""What waits for approval, so that the longest of it is found without an index on the status of every subject."""

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("events", "0004_seen")]
    operations: ClassVar = [
        migrations.CreateModel(
            name="Awaiting",
            fields=[
                ("subject_id", models.UUIDField(primary_key=True, serialize=False)),
                ("tenant_id", models.UUIDField()),
                ("since", models.DateTimeField()),
            ],
            options={"indexes": [models.Index(fields=["tenant_id", "since"], name="awaiting_longest")]},
        ),
        migrations.RunSQL(
            """
            INSERT INTO events_awaiting (subject_id, tenant_id, since)
            SELECT id, tenant_id, status_time FROM events_subject WHERE status LIKE '%.pending_approval'
            """,
            migrations.RunSQL.noop,
        ),
    ]
