"""Set the organisation up, through the public API and nothing else, as its administrator would."""

from collections.abc import Mapping
from dataclasses import dataclass

from tidings.demo.call import Api
from tidings.demo.read import Organisation, Person
from tidings.demo.receive import Receivers
from tidings.demo.sign_up import sign_up


@dataclass(frozen=True, slots=True)
class Cast:
    """Who calls during the day: an administrator, and each source in its own name."""

    administrator: Api
    sources: Mapping[str, Api]
    systems: Mapping[str, str]
    """By source: whose words it sends in, where they are not ours."""
    signs_in: Mapping[str, str]
    """To the console, all with `PASSWORD`: a login of each kind, and what they are."""


async def set_up(api: Api, organisation: Organisation, receivers: Receivers) -> Cast:
    """`api` calls with the token of the very first administrator. Raises `Unanswered`."""
    mail = {"host": "127.0.0.1", "port": receivers.mail_port, "security": "none", "from": _sender(organisation)}
    await api.must("PUT", "/channels/email", {"enabled": True, "settings": mail})
    await api.must("PUT", "/channels/webhook", {"enabled": True, "settings": {}})
    await api.must("PUT", "/channels/dingtalk", {"enabled": True, "settings": receivers.dingtalk_app})
    await api.must("PUT", "/channels/dingtalk_robot", {"enabled": True, "settings": receivers.dingtalk_groups})
    sms = await api.must("PUT", "/channels/sms", {"enabled": True, "settings": receivers.sms_account})
    # What an administrator enters in the provider's console; the key in it was made just now and is shown this once.
    receivers.texts.reports_to = f"{sms.body['receipts_url']}/{sms.body['settings']['receipt_key']}"
    for person in organisation.people:
        await _bring_in(api, organisation, person, receivers)
    await _place(api, organisation)
    await _rule(api, organisation)
    sources = {name: await _source(api, name, organisation.systems.get(name)) for name in organisation.sources}
    first = next(person.login for person in organisation.people if "administrator" in person.roles)
    administrator = api.by((await api.must("POST", "/tokens", {"person": first, "name": "demo"})).body["token"])
    for login in organisation.signs_in:
        await sign_up(administrator, login, f"{login}@{organisation.domain}")
    # The account Tidings began with has done its part; from now on people administer.
    await administrator.must("DELETE", "/users/admin")
    return Cast(administrator, sources, organisation.systems, organisation.signs_in)


async def _bring_in(api: Api, organisation: Organisation, person: Person, receivers: Receivers) -> None:
    profile = {
        "name": person.name,
        "email": organisation.email_of(person),
        "mobile": person.mobile,
        "roles": person.roles,
        "language": person.language,
        "timezone": person.timezone or organisation.timezone,
        "active": person.active,
    }
    await api.must("PUT", f"/users/{person.login}", profile)
    settings: dict[str, object] = {"methods": person.methods}
    if person.mobile:
        settings["mobile"] = person.mobile
    if person.robot:
        settings["dingtalk_robot"] = receivers.robot(person.robot)
    if person.webhook:
        settings["webhook"] = receivers.contact(person.webhook) | {"format": person.webhook_format}
    await api.must("PUT", f"/users/{person.login}/notification-settings", settings)
    if person.own_webhook:
        token = (await api.must("POST", "/tokens", {"person": person.login})).body["token"]
        own = {"methods": ["webhook"], "webhook": receivers.contact(person.own_webhook)}
        await api.by(token).must("PUT", "/me/notification-settings", own)


async def _place(api: Api, organisation: Organisation) -> None:
    for instance in organisation.instances:
        path = f"/instances/{instance.name}"
        await api.must("PUT", path, {"dba": instance.dba, "owners": instance.owners})
        for name, database in instance.databases.items():
            await api.must("PUT", f"{path}/databases/{name}", {"owners": database.owners})
            for table, owners in database.tables.items():
                await api.must("PUT", f"{path}/databases/{name}/tables/{table}", {"owners": owners})


async def _rule(api: Api, organisation: Organisation) -> None:
    rules = organisation.rules
    for event_type in dict.fromkeys([*rules.optional_roles, *rules.additional_users]):
        change = {
            "optional_roles": rules.optional_roles.get(event_type, []),
            "additional_users": rules.additional_users.get(event_type, []),
            "version": (await api.must("GET", f"/rules/{event_type}")).body["version"],
        }
        await api.must("PATCH", f"/rules/{event_type}", change)
    await api.must("POST", "/rules/batch", {"event_types": rules.switched_off, "enabled": False})


async def _source(api: Api, name: str, adapter: str | None) -> Api:
    return api.by((await api.must("POST", "/sources", {"name": name, "adapter": adapter})).body["token"])


def _sender(organisation: Organisation) -> str:
    return f"Tidings <tidings@{organisation.domain}>"
