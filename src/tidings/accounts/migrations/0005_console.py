"""What the console needs: where a link for a new password goes, and a cache that all nodes share."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0004_fallback")]
    # allauth's own look for the address.
    run_before = [("account", "0001_initial")]

    operations = [
        migrations.AddField(
            "account", "email", models.CharField(blank=True, default="", max_length=320), preserve_default=False
        ),
        # As `createcachetable` would make it. It may be emptied at any time.
        migrations.RunSQL(
            """
            CREATE UNLOGGED TABLE accounts_cache (
                cache_key varchar(255) PRIMARY KEY, value text NOT NULL, expires timestamptz NOT NULL
            );
            CREATE INDEX accounts_cache_expires ON accounts_cache (expires);
            """,
            "DROP TABLE accounts_cache",
        ),
    ]
