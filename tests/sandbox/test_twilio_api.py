"""The text-message provider, asked over plain HTTP; its signatures are judged by Twilio's own library."""

from urllib.parse import parse_qsl

import httpx
import pytest
from twilio.request_validator import RequestValidator

from sandbox import World
from sandbox.twilio_api import count_segments
from tests.sandbox.letters import Website, WorldMaker

SID = "AC11111111111111111111111111111111"
TOKEN = "a-token"
OPTIONS = {"twilio_account_sid": SID, "twilio_auth_token": TOKEN, "seed": 4}


async def post(world: World, *, password: str = TOKEN, **form: str) -> httpx.Response:
    url = f"{world.twilio_base_url}/2010-04-01/Accounts/{SID}/Messages.json"
    async with httpx.AsyncClient(auth=(SID, password), trust_env=False) as client:
        return await client.post(url, data={"From": "TOCSIN", "Body": "Bonjour", **form})


def is_signed(url: str, form: dict[str, str], signature: str) -> bool:
    validator = RequestValidator(TOKEN)  # type: ignore[no-untyped-call]
    return bool(validator.validate(url, form, signature))  # type: ignore[no-untyped-call]


async def test_a_message_is_taken_and_can_be_read_back(make_world: WorldMaker) -> None:
    world = await make_world(**OPTIONS)
    answer = await post(world, To="+33639980900", Body="é" * 161)
    assert answer.status_code == 201
    message = answer.json()
    assert message["sid"].startswith("SM")
    assert len(message["sid"]) == 34
    assert (message["status"], message["num_segments"], message["to"]) == ("queued", "2", "+33639980900")
    await world.settle()
    async with httpx.AsyncClient(auth=(SID, TOKEN), trust_env=False) as client:
        later = (await client.get(f"{world.twilio_base_url}{message['uri']}")).json()
        missing = await client.get(f"{world.twilio_base_url}{message['uri'].replace('SM', 'SMx')}")
    assert later["status"] == "delivered"
    assert (missing.status_code, missing.json()["code"]) == (404, 20404)
    tally = world.tally().sms
    assert (tally.taken, tally.segments, tally.delivered) == (1, 2, 1)


@pytest.mark.parametrize(
    ("form", "status", "code"),
    [
        ({"To": ""}, 400, 21604),
        ({"To": "0639980900"}, 400, 21211),
        ({"To": "+33639980211"}, 400, 21211),
        ({"To": "+33639980610"}, 400, 21610),
        ({"To": "+33639980900", "Body": ""}, 400, 21602),
        ({"To": "+33639980900", "Body": "x" * 1601}, 400, 21617),
        ({"To": "+33639980900", "From": ""}, 400, 21603),
        ({"To": "+33639980900", "password": "wrong"}, 401, 20003),
    ],
)
async def test_what_twilio_refuses_is_refused_with_its_code(
    make_world: WorldMaker, form: dict[str, str], status: int, code: int
) -> None:
    world = await make_world(**OPTIONS)
    answer = await post(world, **form)
    assert (answer.status_code, answer.json()["code"], answer.json()["status"]) == (status, code, status)
    assert world.tally().sms.refused == {str(code): 1}
    assert world.tally().sms.taken == 0


async def test_too_many_messages_a_second_are_put_off(make_world: WorldMaker) -> None:
    world = await make_world(**OPTIONS, sms_per_second=5.0)
    answers = [await post(world, To=f"+336399810{n:02d}") for n in range(12)]
    late = [answer for answer in answers if answer.status_code == 429]
    assert late
    assert {answer.json()["code"] for answer in late} == {20429}


@pytest.mark.parametrize("ending", ["003", "005", "006", "008"])
async def test_an_undelivered_message_says_why_in_signed_callbacks(
    make_world: WorldMaker, website: Website, ending: str
) -> None:
    world = await make_world(**OPTIONS)
    callback = f"{website.url}/hooks/twilio/status"
    await post(world, To=f"+33639980{ending}", StatusCallback=callback)
    await world.settle()
    forms = [dict(parse_qsl(visit.body)) for visit in website.visits]
    assert {form["MessageStatus"] for form in forms} == {"sent", "undelivered"}
    assert {form.get("ErrorCode") for form in forms if form["MessageStatus"] == "undelivered"} == {
        f"30{ending}"
    }
    for visit, form in zip(website.visits, forms, strict=True):
        signature = visit.headers["x-twilio-signature"]
        assert is_signed(callback, form, signature)
        assert not is_signed(callback, {**form, "MessageStatus": "delivered"}, signature)
    assert world.tally().sms.undelivered == {f"30{ending}": 1}
    assert world.tally().sms.callbacks == {200: len(forms)}


async def test_a_messaging_service_reports_queued_as_well(make_world: WorldMaker, website: Website) -> None:
    world = await make_world(**OPTIONS)
    callback = f"{website.url}/hooks/twilio/status"
    answer = await post(world, To="+33639980900", From="", MessagingServiceSid="MG1", StatusCallback=callback)
    assert answer.json()["status"] == "accepted"
    await world.settle()
    statuses = {dict(parse_qsl(visit.body))["MessageStatus"] for visit in website.visits}
    assert statuses == {"queued", "sent", "delivered"}


async def test_some_callbacks_repeat_and_some_overtake_each_other(
    make_world: WorldMaker, website: Website
) -> None:
    world = await make_world(**OPTIONS)
    callback = f"{website.url}/hooks/twilio/status"
    for number in range(120):
        await post(world, To=f"+336399{number:02d}900", StatusCallback=callback, Body=str(number))
    await world.settle()
    orders: dict[str, list[str]] = {}
    for visit in website.visits:
        form = dict(parse_qsl(visit.body))
        orders.setdefault(form["MessageSid"], []).append(form["MessageStatus"])
    assert {tuple(order) for order in orders.values()} == {
        ("sent", "delivered"),
        ("sent", "delivered", "delivered"),
        ("delivered", "sent"),
    }
    assert world.tally().sms.delivered == 120


async def test_stop_is_posted_signed_and_closes_the_number(make_world: WorldMaker, website: Website) -> None:
    world = await make_world(**OPTIONS)
    assert (await post(world, To="+33639980700")).status_code == 201
    await world.settle()
    (visit,) = website.visits
    form = dict(parse_qsl(visit.body))
    assert visit.path == "/hooks/twilio/inbound"
    assert (form["From"], form["To"], form["OptOutType"]) == ("+33639980700", "36111", "STOP")
    url = f"{website.url}/hooks/twilio/inbound"
    assert is_signed(url, form, visit.headers["x-twilio-signature"])
    again = await post(world, To="+33639980700", Body="encore")
    assert (again.status_code, again.json()["code"]) == (400, 21610)
    tally = world.tally()
    assert (tally.sms.stops, tally.sms.refused) == (1, {"21610": 1})
    assert tally.after_opt_out == ()


async def test_an_answer_that_is_no_stop_closes_nothing(make_world: WorldMaker, website: Website) -> None:
    world = await make_world(**OPTIONS)
    await post(world, To="+33639980800", From="+33939980001")
    await world.settle()
    form = dict(parse_qsl(website.visits[0].body))
    assert form["To"] == "+33939980001"
    assert "OptOutType" not in form
    assert (await post(world, To="+33639980800", Body="encore")).status_code == 201
    assert world.tally().sms.answers == 1


async def test_the_same_text_to_the_same_number_is_a_double(make_world: WorldMaker) -> None:
    world = await make_world(**OPTIONS)
    for _ in range(2):
        await post(world, To="+33639980900")
    assert world.tally().sms.doubles == [("+33639980900", "Bonjour")]


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("ê" * 70, 1),
        ("ê" * 71, 2),
        ("😀" * 36, 2),
    ],
)
def test_segments_follow_the_alphabet(text: str, segments: int) -> None:
    assert count_segments(text) == segments
