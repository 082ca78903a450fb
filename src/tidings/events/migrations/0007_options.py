from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("events", "0006_turned_away")]

    operations = [migrations.AddField("intake", "options", models.JSONField(default=dict))]
