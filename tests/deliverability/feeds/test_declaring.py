"""Postmaster Tools and SNDS, asked on the loopback: pages, refusals, waits, empty days, newer figures."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any

import pytest
import uvicorn
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from fastapi import FastAPI, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from deliverability.feeds.declaring import EVERY, DeclaredAccess, DeclaredLook
from deliverability.feeds.postmaster import DeclaredFeedError, Postmaster, PostmasterAccess
from models.declared import DeclaredFigure, DeclaredSource
from store import Database, declared
from tests.clocks import START, ManualClock

TODAY = START.date()


class Google:
    """Answers as Google's reference says, two statistics a page; what stands in its way can be set."""

    def __init__(self) -> None:
        self.app = FastAPI()
        self.address = ""
        self.domains = ["parti.example", "other.example"]
        self.spam = 0.0004
        self.denied: set[str] = set()
        self.stale_tokens = 0
        self.busy: list[str] = []
        self.forms: list[dict[str, str]] = []
        self.asked: list[dict[str, Any]] = []
        self.snds: Response = PlainTextResponse("192.0.2.10,11/20/2026 12:00 AM,,9,9,9,GREEN,< 0.1%\n")
        self.app.post("/token")(self._token)
        self.app.get("/v2/domains")(self._domains)
        self.app.post("/v2/domains/{domain}/domainStats:query")(self._stats)
        self.app.get("/v2/domains/{domain}/complianceStatus")(self._compliance)
        self.app.get("/snds")(self._snds)

    async def _snds(self) -> Response:
        return self.snds

    async def _token(self, request: Request) -> Response:
        form = {name: str(value) for name, value in (await request.form()).items()}
        self.forms.append(form)
        if form.get("refresh_token") == "revoked":
            return JSONResponse({"error": "invalid_grant"}, 400)
        return JSONResponse({"access_token": f"t{len(self.forms)}", "expires_in": 3599})

    def _refuses(self, request: Request) -> Response | None:
        if self.busy:
            return JSONResponse({}, 429, headers={"Retry-After": self.busy.pop(0)})
        if request.headers["authorization"] in {
            f"Bearer t{number}" for number in range(1, self.stale_tokens + 1)
        }:
            return JSONResponse({}, 401)
        return None

    async def _domains(self, request: Request) -> Response:
        place = int(request.query_params.get("pageToken", "0"))
        names = [{"name": f"domains/{self.domains[place]}"}] if self.domains else []
        more = {"nextPageToken": str(place + 1)} if place + 1 < len(self.domains) else {}
        return self._refuses(request) or JSONResponse({"domains": names, **more})

    async def _stats(self, request: Request, domain: str) -> Response:
        wish = await request.json()
        self.asked.append(wish)
        if domain in self.denied:
            return JSONResponse({"error": {"status": "PERMISSION_DENIED"}}, 403)
        names = [one["name"] for one in wish["metricDefinitions"]]
        every = [
            self._stat(name)
            for name in names
            if name in {"spam_rate", "dkim_rate", "feedback_ids", "feedback_spam_rate"}
        ]
        place = int(wish.get("pageToken", "0"))
        more = {"nextPageToken": str(place + 2)} if place + 2 < len(every) else {}
        return self._refuses(request) or JSONResponse({"domainStats": every[place : place + 2], **more})

    def _stat(self, name: str) -> dict[str, object]:
        value: dict[str, object] = {"doubleValue": self.spam}
        if name == "feedback_ids":
            value = {"stringList": {"values": ["campaign-7"]}}
        day = TODAY - timedelta(days=2)
        return {
            "metric": name,
            "date": {"year": day.year, "month": day.month, "day": day.day},
            "value": value,
        }

    async def _compliance(self, domain: str) -> Response:
        rows = [{"requirement": "SPF", "status": {"status": "COMPLIANT"}}]
        verdict = {"status": {"status": "NEEDS_WORK"}}
        data = {"domainId": domain, "rowData": rows, "oneClickUnsubscribeVerdict": verdict}
        return JSONResponse({"name": domain, "complianceData": data})

    def access(self, **changes: str) -> PostmasterAccess:
        told = {"refresh_token": "r", "client_id": "c", "client_secret": "s"} | changes
        return PostmasterAccess(base_url=self.address, token_url=f"{self.address}/token", **told)


@pytest.fixture
async def google() -> AsyncIterator[Google]:
    fake = Google()
    server = uvicorn.Server(uvicorn.Config(fake.app, port=0, log_level="error", lifespan="off"))
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    fake.address = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    yield fake
    server.should_exit = True
    await running


async def kept(database: Database) -> list[DeclaredFigure]:
    async with database.read() as session:
        return await declared.figures(session, since=date(2000, 1, 1), until=date(2100, 1, 1))


async def problem_of(database: Database, source: DeclaredSource) -> str:
    async with database.read() as session:
        return next(one.problem for one in await declared.feeds(session) if one.source is source)


async def test_every_domain_and_every_page_is_read_and_kept_once(
    database: Database, clock: ManualClock, google: Google
) -> None:
    look = DeclaredLook(database, clock, DeclaredAccess(google.access()))
    assert await look.look() == {DeclaredSource.GMAIL_POSTMASTER: ""}
    found = {(one.subject, one.metric): one for one in await kept(database)}
    assert found["parti.example", "spam_rate"].value == 0.0004
    assert found["other.example", "dkim_rate"].day == TODAY - timedelta(days=2)
    assert found["parti.example", "compliance_spf"].words == "compliant"
    assert found["parti.example", "compliance_one_click_unsubscribe"].words == "needs_work"
    assert found["campaign-7", "feedback_spam_rate"].details["domain"] == "other.example"
    wish = google.asked[0]
    assert wish["timeQuery"]["dateRanges"]["dateRanges"][0]["end"]["day"] == TODAY.day
    filters = {one["name"]: one.get("filter") for one in wish["metricDefinitions"]}
    assert filters["spf_rate"] == 'auth_type = "spf"'


async def test_it_is_asked_once_a_day_and_the_newer_figure_stands(
    database: Database, clock: ManualClock, google: Google
) -> None:
    look = DeclaredLook(database, clock, DeclaredAccess(google.access()))
    await look.look()
    before = len(await kept(database))
    google.spam = 0.002
    assert await look.look() == {}
    clock.advance(EVERY)
    assert await look.look()
    rows = await kept(database)
    assert len(rows) == before + 2 * 2, "the compliance of another day"
    assert {one.value for one in rows if one.metric == "spam_rate"} == {0.002}


async def test_an_access_token_that_ran_out_is_changed_once(google: Google) -> None:
    google.stale_tokens = 1
    looked = await Postmaster(google.access(), now=START).look(TODAY, TODAY)
    assert looked.figures
    assert len(google.forms) == 2
    google.stale_tokens = 99
    with pytest.raises(DeclaredFeedError, match="refuses the access token"):
        await Postmaster(google.access(), now=START).look(TODAY, TODAY)


async def test_a_domain_that_is_not_ours_to_see_does_not_hide_the_others(
    database: Database, clock: ManualClock, google: Google
) -> None:
    google.denied = {"parti.example"}
    await DeclaredLook(database, clock, DeclaredAccess(google.access())).look()
    assert {one.subject for one in await kept(database)} == {"other.example", "campaign-7"}
    assert "parti.example" in await problem_of(database, DeclaredSource.GMAIL_POSTMASTER)


async def test_a_short_wait_is_sat_out_and_a_long_one_ends_the_look(
    database: Database, clock: ManualClock, google: Google
) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    google.busy = ["7"]
    assert (await Postmaster(google.access(), now=START, sleep=sleep).look(TODAY, TODAY)).figures
    assert waits == [7.0]
    google.busy = ["7200"]
    look = DeclaredLook(database, clock, DeclaredAccess(google.access()))
    assert "left alone" in (await look.look())[DeclaredSource.GMAIL_POSTMASTER]
    clock.advance(timedelta(minutes=61))
    assert await look.look() == {}, "asked to wait for two hours"
    clock.advance(timedelta(minutes=60))
    assert await look.look() == {DeclaredSource.GMAIL_POSTMASTER: ""}


async def test_a_consent_that_was_withdrawn_is_told_without_any_secret(
    database: Database, clock: ManualClock, google: Google
) -> None:
    look = DeclaredLook(database, clock, DeclaredAccess(google.access(refresh_token="revoked")))
    await look.look()
    problem = await problem_of(database, DeclaredSource.GMAIL_POSTMASTER)
    assert "invalid_grant" in problem
    assert "revoked" not in problem
    assert "revoked" not in repr(google.access(refresh_token="revoked"))


async def test_days_without_traffic_are_no_trouble(
    database: Database, clock: ManualClock, google: Google
) -> None:
    google.domains = []
    google.snds = PlainTextResponse("")
    access = DeclaredAccess(google.access(), f"{google.address}/snds?key=k")
    assert set((await DeclaredLook(database, clock, access).look()).values()) == {""}
    assert await kept(database) == []


async def test_snds_is_fetched_from_its_address_which_is_never_told(
    database: Database, clock: ManualClock, google: Google
) -> None:
    access = DeclaredAccess(snds_url=f"{google.address}/snds?key=hunter2")
    look = DeclaredLook(database, clock, access)
    await look.look()
    assert {one.metric for one in await kept(database)} >= {"filter_result", "complaint_rate"}
    for answer in (PlainTextResponse("no", 403), PlainTextResponse("<html>Sign in</html>")):
        google.snds = answer
        clock.advance(EVERY)
        await look.look()
        problem = await problem_of(database, DeclaredSource.MICROSOFT_SNDS)
        assert problem
        assert "hunter2" not in problem
    google.snds = PlainTextResponse("")
    clock.advance(timedelta(hours=1))
    await look.look()
    assert await problem_of(database, DeclaredSource.MICROSOFT_SNDS) == ""


async def test_secrets_are_not_sent_over_the_open_network(google: Google) -> None:
    access = PostmasterAccess(refresh_token="r", base_url=google.address, token_url="http://192.0.2.1/token")
    with pytest.raises(DeclaredFeedError, match="no https address"):
        await Postmaster(access, now=START).look(TODAY, TODAY)


async def test_a_service_account_signs_for_its_token(google: Google) -> None:
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    account = json.dumps({"client_email": "a@b.example", "private_key": pem.decode()})
    assert (await Postmaster(google.access(service_account=account), now=START).look(TODAY, TODAY)).figures
    head, claims, signature = google.forms[0]["assertion"].split(".")
    key.public_key().verify(
        base64.urlsafe_b64decode(signature + "=="),
        f"{head}.{claims}".encode(),
        padding.PKCS1v15(),
        hashes.SHA256(),
    )
    told = json.loads(base64.urlsafe_b64decode(claims + "=="))
    assert (told["iss"], told["iat"]) == ("a@b.example", int(START.timestamp()))
    with pytest.raises(DeclaredFeedError, match="cannot be read"):
        await Postmaster(google.access(service_account="{}"), now=START).look(TODAY, TODAY)
