"""The organisation itself: what new people start with, where codes may go, and whether another way is tried."""

from zoneinfo import available_timezones

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils.translation import gettext

from tidings.accounts.models import Tenant
from tidings.console.asked import number_in
from tidings.console.page import Asked, page, say, show
from tidings.console.spoken import spoken
from tidings.directory.countries import spelled
from tidings.directory.tenant_settings import TenantProfile, put_tenant_settings, tenant_settings
from tidings.kernel.problems import Problem
from tidings.kernel.versions import Expected


@page("administrator", methods=("GET", "POST"))
def organisation(request: Asked) -> HttpResponse:
    if request.method != "POST":
        return _page(request, tenant_settings(request.caller))
    post = request.POST
    wanted = TenantProfile(
        language=post.get("language", ""),
        timezone=post.get("timezone", "").strip(),
        sms_countries=[each for each in post.get("sms_countries", "").replace(",", " ").split() if each],
        fallback=post.get("fallback") == "on",
    )
    version = number_in(post.get("version", ""))
    try:
        put_tenant_settings(request.caller, wanted, Expected(version or 0))
    except Problem as problem:
        if problem.status not in (409, 422):
            raise
        problems = {name: spoken(text) for name, text in problem.of_fields.items()}
        return _page(request, tenant_settings(request.caller), wanted, problems, status=problem.status)
    say(request, gettext("Saved."))
    return redirect("organisation")


def _page(
    request: Asked,
    tenant: Tenant,
    written: TenantProfile | None = None,
    problems: dict[str, str] | None = None,
    *,
    status: int = 200,
) -> HttpResponse:
    countries = spelled(tenant.sms_countries) if written is None else written.sms_countries or ()
    context = {
        "tenant": tenant,
        "form": written or tenant,
        "countries": " ".join(countries),
        "languages": settings.LANGUAGES,
        "timezones": sorted(available_timezones()),
        "problems": problems or {},
        "changed": status == 409,
    }
    return show(request, "console/organisation/organisation.html", context, status=status)


urlpatterns = [path("organisation", organisation, name="organisation")]
