from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("directory", "0003_left"),
    ]

    operations = [
        migrations.AddField(
            model_name="contactpoint",
            name="assumed",
            field=models.BooleanField(default=False),
        ),
    ]
