"""Alerts leave by mail and webhook as the settings say, and the commands tell of incidents."""

import json
import quopri
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from models.incident import AlertWay, Incident, IncidentDeed, IncidentKind, IncidentLevel
from models.states import Channel, IdentityState
from models.values import Accepted, Deferred, EmailEnvelope, Refused, Reply
from scheduler.alerts import Place, tell_alerts
from scheduler.incidents import close_incident, open_incident
from service.alerting import AlertPost
from service.settings import GivenSettings, Settings
from store import Database
from tests.clocks import START, ManualClock
from tests.factories import KEYRING, an_identity
from tests.scheduler.desks import ScriptedTransport
from tests.servers.hook_taker import HookTaker

SECRET = "sixteen characters and more"
ANA = "ana@parti.example"


def some_settings(folder: Path, **given: object) -> Settings:
    options = {"data_dir": folder, "public_url": "https://tocsin.exemple.fr", "zone": "UTC", **given}
    return GivenSettings(**options)  # type: ignore[arg-type]


def a_post(
    database: Database, clock: ManualClock, settings: Settings, mail: ScriptedTransport | None = None
) -> AlertPost:
    transports = {Channel.EMAIL: mail} if mail is not None else {}
    return AlertPost(settings, database, clock, transports=transports, keyring=KEYRING)


async def begin(database: Database, *keys: str) -> Incident:
    async with database.write() as session:
        senders = [await an_identity(session, key=key) for key in keys or ("rhone",)]
        opened = await open_incident(
            session,
            IncidentKind.HARD_BOUNCES,
            IncidentLevel.RED,
            identity_id=senders[0].id,
            provider="orange",
            part=40,
            whole=400,
            reason="hard",
            deed=IncidentDeed.STOPPED,
            until=START.replace(hour=21),
            evidence={
                "examples": [{"provider": "orange", "code": 550, "text": "550 5.1.1 unknown", "count": 37}]
            },
            now=START,
        )
    assert opened is not None
    return opened


def text_of(envelope: EmailEnvelope) -> tuple[str, str]:
    """Subject and plain text."""
    letter = message_from_bytes(bytes(envelope.data), policy=policy.default)
    (plain, _) = letter.iter_parts()
    return str(letter["subject"]), quopri.decodestring(str(plain.get_payload())).decode()


TELLS = {
    "en": ("Many addresses do not exist · Le Parti at Orange", "40 of 400 messages came back"),
    "fr": ("Beaucoup d’adresses inexistantes · Le Parti chez Orange", "40 messages sur 400 sont revenus"),
}


@pytest.mark.parametrize("language", sorted(TELLS))
async def test_a_mail_tells_what_happened_in_the_language_set(
    database: Database, clock: ManualClock, tmp_path: Path, language: str
) -> None:
    opened = await begin(database)
    mail = ScriptedTransport()
    post = a_post(database, clock, some_settings(tmp_path, alert_emails=ANA, language=language), mail)
    await tell_alerts(database, clock, post.desk())
    subject, text = text_of(mail.letter_to(ANA))
    title, words = TELLS[language]
    assert subject == f"[Tocsin] {title}"
    assert words in text
    assert "550 5.1.1 unknown" in text
    assert f"https://tocsin.exemple.fr/incidents/{opened.id}" in text


async def test_the_mail_is_plain_signed_and_counted_nowhere(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    await begin(database)
    mail = ScriptedTransport()
    post = a_post(database, clock, some_settings(tmp_path, alert_emails=ANA), mail)
    await tell_alerts(database, clock, post.desk())
    letter = message_from_bytes(bytes(mail.letter_to(ANA).data), policy=policy.default)
    assert letter["auto-submitted"] == "auto-generated"
    assert letter["dkim-signature"]
    assert letter["list-unsubscribe"] is None
    assert letter["x-tocsin-delivery"] is None
    assert letter["from"].addresses[0].addr_spec == "rhone@parti.fr"


async def test_who_is_not_taken_gives_way_to_the_next_identity(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    await begin(database, "rhone", "loire")
    mail = ScriptedTransport(answers={ANA: Deferred(Reply(451, None, "not you"))})
    post = a_post(database, clock, some_settings(tmp_path, alert_emails=ANA, alert_from="loire"), mail)
    for _ in range(2):
        await tell_alerts(database, clock, post.desk())
        clock.advance(START.resolution * 5_000_000)
    senders = [
        message_from_bytes(bytes(one.data), policy=policy.default)["from"].addresses[0].username  # type: ignore[union-attr]
        for one in mail.sent
    ]
    assert senders == ["loire", "rhone"]


async def test_a_suspended_identity_sends_no_alerts(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    async with database.write() as session:
        await an_identity(session, state=IdentityState.SUSPENDED)
    mail = ScriptedTransport()
    post = a_post(database, clock, some_settings(tmp_path, alert_emails=ANA), mail)
    outcome = await post.test(Place(AlertWay.MAIL, ANA))
    assert isinstance(outcome, Deferred)
    assert mail.sent == []


async def test_without_a_relay_it_waits(database: Database, clock: ManualClock, tmp_path: Path) -> None:
    post = a_post(database, clock, some_settings(tmp_path, alert_emails=ANA))
    assert isinstance(await post.test(Place(AlertWay.MAIL, ANA)), Deferred)


async def test_a_webhook_is_told_when_it_begins_and_when_it_ends(
    database: Database, clock: ManualClock, tmp_path: Path, hook_taker: HookTaker
) -> None:
    opened = await begin(database)
    settings = some_settings(
        tmp_path,
        alert_private=True,
        alert_webhook_secret=SECRET,
        alert_webhooks=hook_taker.url,
        language="en",
    )
    post = a_post(database, clock, settings)
    await tell_alerts(database, clock, post.desk())
    async with database.write() as session:
        await close_incident(session, opened.id, by="Ana", now=clock.now())
    await tell_alerts(database, clock, post.desk())
    began, ended = (json.loads(body) for _, body in hook_taker.calls)
    assert (began["type"], ended["type"]) == ("incident.began", "incident.ended")
    assert began["data"]["title"] == "Many addresses do not exist · Le Parti at Orange"
    assert (began["data"]["part"], began["data"]["whole"], began["data"]["deed"]) == (40, 400, "stopped")
    assert ended["data"]["ended_by"] == "Ana"
    assert len({headers["webhook-id"] for headers, _ in hook_taker.calls}) == 2


async def test_the_own_network_is_out_of_bounds_unless_it_is_allowed(
    database: Database, clock: ManualClock, tmp_path: Path, hook_taker: HookTaker
) -> None:
    url = hook_taker.url.replace("http:", "https:")
    settings = some_settings(tmp_path, alert_webhook_secret=SECRET, alert_webhooks=url)
    outcome = await a_post(database, clock, settings).test(Place(AlertWay.WEBHOOK, url))
    assert isinstance(outcome, Refused)
    assert hook_taker.calls == []
    open_to = some_settings(
        tmp_path, alert_private=True, alert_webhook_secret=SECRET, alert_webhooks=hook_taker.url
    )
    outcome = await a_post(database, clock, open_to).test(Place(AlertWay.WEBHOOK, hook_taker.url))
    assert isinstance(outcome, Accepted)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"alert_emails": "ana"}, "no list of addresses"),
        ({"alert_emails": "a@b.fr; c@d.fr"}, "no list of addresses"),
        ({"alert_webhooks": "https://x.example"}, "needs TOCSIN_ALERT_WEBHOOK_SECRET"),
        (
            {"alert_webhooks": "http://x.example", "alert_webhook_secret": SECRET},
            "or, for one of your own network, set TOCSIN_ALERT_PRIVATE=true",
        ),
        ({"alert_webhooks": "x.example", "alert_webhook_secret": SECRET}, "no list of web addresses"),
        ({"alert_webhooks": "https://x.example/" + 500 * "a", "alert_webhook_secret": SECRET}, "too long"),
        ({"alert_webhook_secret": "short"}, "too short"),
        ({"alert_level": "green"}, "amber"),
    ],
)
def test_settings_that_cannot_serve_are_refused(tmp_path: Path, given: dict[str, str], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        some_settings(tmp_path, **given)
