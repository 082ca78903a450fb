from typing import ClassVar

from django.db import migrations, models
from django.db.models import F, Q
from django.db.models.functions import Lower


class Migration(migrations.Migration):
    dependencies: ClassVar = [("accounts", "0001_initial")]
    operations: ClassVar = [
        migrations.RemoveConstraint("person", "person_email"),
        migrations.AddConstraint(
            "person",
            models.UniqueConstraint(
                F("tenant"), Lower("email"), condition=~Q(email="") & Q(departed_at=None), name="person_email"
            ),
        ),
    ]
