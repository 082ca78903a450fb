"""Which people and resources changed, and in which transaction: a node that holds a directory of 100,000 in memory reads
what changed since it looked, and not all of it. Triggers write it, so that no way to change a row can forget to."""

from typing import ClassVar

from django.db import migrations

_TABLES = ("accounts_person", "directory_contactpoint", "directory_resource")


class Migration(migrations.Migration):
    dependencies: ClassVar = [("directory", "0004_assumed"), ("accounts", "0001_initial")]
    operations: ClassVar = [
        migrations.RunSQL(
            """
            CREATE TABLE directory_touched (
                tenant_id uuid NOT NULL, person_id uuid, path text[],
                xid xid8 NOT NULL DEFAULT pg_current_xact_id(), at timestamptz NOT NULL DEFAULT now()
            );
            CREATE INDEX touched_since ON directory_touched (tenant_id, xid);
            CREATE FUNCTION directory_touch() RETURNS trigger LANGUAGE plpgsql AS $$
            DECLARE changed record;
            BEGIN
                IF TG_OP = 'DELETE' THEN changed := OLD; ELSE changed := NEW; END IF;
                IF TG_TABLE_NAME = 'accounts_person' THEN
                    INSERT INTO directory_touched (tenant_id, person_id) VALUES (changed.tenant_id, changed.id);
                ELSIF TG_TABLE_NAME = 'directory_contactpoint' THEN
                    INSERT INTO directory_touched (tenant_id, person_id) VALUES (changed.tenant_id, changed.person_id);
                ELSE
                    INSERT INTO directory_touched (tenant_id, path)
                    VALUES (changed.tenant_id, ARRAY[changed.instance, changed.database, changed."table"]);
                    IF TG_OP = 'UPDATE' THEN
                        INSERT INTO directory_touched (tenant_id, path)
                        VALUES (OLD.tenant_id, ARRAY[OLD.instance, OLD.database, OLD."table"]);
                    END IF;
                END IF;
                RETURN NULL;
            END $$;
            """,
            "DROP FUNCTION directory_touch; DROP TABLE directory_touched",
        ),
        *(
            migrations.RunSQL(
                f"CREATE TRIGGER directory_touch AFTER INSERT OR UPDATE OR DELETE ON {table} "
                "FOR EACH ROW EXECUTE FUNCTION directory_touch()",
                f"DROP TRIGGER directory_touch ON {table}",
            )
            for table in _TABLES
        ),
    ]
