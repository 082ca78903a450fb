"""Where a sign-in began, and one spelling of each login."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models.functions import Lower


class Migration(migrations.Migration):
    dependencies = [("accounts", "0006_person_words")]

    operations = [
        migrations.AddField(
            "account",
            "home",
            models.ForeignKey(
                blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, to="accounts.tenant"
            ),
        ),
        migrations.AddConstraint("account", models.UniqueConstraint(Lower("login"), name="account_login")),
    ]
