"""The decision record of a plan, in the one shape that preview, explain and `GET /events/{id}` answer."""

from typing import Any

from tidings.planning.plan import Because, Plan, Skip


def decision_record(event: dict[str, Any], plan: Plan) -> dict[str, Any]:
    """A plan that is not stored: its sends have no delivery yet."""
    return {
        "event": event,
        "recipients": [
            {
                "login": recipient.member.login,
                "because": [because_json(because) for because in recipient.because],
                "sends": [
                    {"delivery_id": None, "channel": send.channel, "state": "planned", "attempts": []}
                    for send in recipient.sends
                ],
                "skips": [skip_json(skip) for skip in recipient.skips],
            }
            for recipient in plan.recipients
        ],
        "skips": [skip_json(skip) for skip in plan.skips],
    }


def because_json(because: Because) -> dict[str, str]:
    return {"role": because.role, "of": because.of} if because.of else {"role": because.role}


def skip_json(skip: Skip) -> dict[str, str]:
    """Only the parts that say something; a person's skip without a channel is about all of them."""
    parts = {"role": skip.role, "person": skip.person, "channel": skip.channel}
    return {**{name: value for name, value in parts.items() if value}, "reason": skip.reason}
