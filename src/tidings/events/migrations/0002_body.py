"""Bodies lie apart, in a partition a day, so that content ends by dropping a table and leaves no dead rows."""

from typing import ClassVar

from django.db import migrations


class Migration(migrations.Migration):
    dependencies: ClassVar = [("events", "0001_initial")]
    operations: ClassVar = [
        migrations.RunSQL(
            """
            CREATE TABLE events_body (id uuid NOT NULL, day date NOT NULL, body text NOT NULL, PRIMARY KEY (id, day))
            PARTITION BY RANGE (day);
            -- What no day's partition takes, so that nothing is ever refused for want of one.
            CREATE TABLE events_body_other PARTITION OF events_body DEFAULT;
            -- Large documents compress faster with lz4 where the server was built with it.
            DO $$ BEGIN
                ALTER TABLE events_body ALTER COLUMN body SET COMPRESSION lz4;
            EXCEPTION WHEN feature_not_supported THEN NULL; END $$;
            """,
            "DROP TABLE events_body",
        )
    ]
