"""What a person may see, newest first, by index: an event's submitter, approvers and related people who are not told of
it have a row each, beside the recipients'. The events themselves no longer list them."""

from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("events", "0003_intake_and_parked")]
    operations: ClassVar = [
        migrations.RunSQL(
            """
            CREATE TABLE events_involved (
                id uuid NOT NULL, tenant_id uuid NOT NULL, person_id uuid NOT NULL, PRIMARY KEY (person_id, id)
            );
            INSERT INTO events_involved (id, tenant_id, person_id)
            SELECT e.id, e.tenant_id, one FROM events_event e CROSS JOIN LATERAL unnest(e.involved) AS one
            WHERE NOT EXISTS (
                SELECT FROM events_recipient r WHERE r.person_id = one
                AND r.id BETWEEN e.id AND (left(e.id::text, 31) || 'fffff')::uuid
            ) ON CONFLICT DO NOTHING;
            CREATE VIEW events_seen AS
            SELECT id, tenant_id, person_id, (left(id::text, 31) || '00000')::uuid AS event_id FROM events_recipient
            UNION ALL
            SELECT id, tenant_id, person_id, id FROM events_involved;
            """,
            "DROP VIEW events_seen; DROP TABLE events_involved",
        ),
        migrations.RemoveField("event", "involved"),
        migrations.CreateModel(
            name="Seen",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("tenant_id", models.UUIDField()),
                ("person_id", models.UUIDField()),
                (
                    "event",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="seen",
                        to="events.event",
                    ),
                ),
            ],
            options={"db_table": "events_seen", "managed": False},
        ),
    ]
