"""What it takes until an address is written to no more: data, judged over everything heard of the address.

Not a counter on the contact that each bounce raises: news comes late, twice and in any order, and a count
cannot be taken back. `judge` looks at the set of news and answers the same however it arrived. That only the
recipient's fault counts, and that rates, blocks, content and senders never do, is no setting.
"""

import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from deliverability.rulebook import RulesError, read_span
from models.states import BounceClass, EventKind, Fault, Permanence, SuppressionReason
from models.values import Verdict
from store.events import Told

OWN_POLICY = "suppression.toml"
"""The installation's own file, in its data directory."""
FAILURES = frozenset({EventKind.BOUNCED, EventKind.REFUSED, EventKind.EXPIRED})
PROMISES = frozenset({EventKind.ACCEPTED, EventKind.DELIVERED})
"""A mail system took it: life, unless a failure of the same message came after all. Many take everything at
the door and bounce later, so that without this nobody there could ever be found dead."""
DEEDS = frozenset(
    {
        EventKind.OPENED,
        EventKind.CLICKED,
        EventKind.REPLIED,
        EventKind.AUTORESPONDED,
        EventKind.UNSUBSCRIBED,
        EventKind.RESUBSCRIBED,
        EventKind.COMPLAINED,
    }
)
"""What only a mailbox that works can bring about; machines that look at links do not count."""
LIFE = PROMISES | DEEDS
BLAMABLE = frozenset(
    {
        BounceClass.NO_SUCH_ADDRESS,
        BounceClass.INACTIVE,
        BounceClass.MAILBOX_FULL,
        BounceClass.TRANSIENT,
        BounceClass.EXPIRED,
        BounceClass.OPTED_OUT,
    }
)
"""Classes a policy may name: the others never are the recipient's doing."""
REASONS = frozenset({SuppressionReason.HARD_BOUNCE, SuppressionReason.PROVIDER})
_KEYS = frozenset(
    {"id", "off", "classes", "permanence", "messages", "campaigns", "over", "within", "until_life", "reason"}
)


@dataclass(frozen=True, slots=True)
class Policy:
    """One line of the table; see `rules/suppression.toml` for what each word means."""

    name: str
    classes: frozenset[BounceClass]
    reason: SuppressionReason
    permanence: Permanence | None = None
    messages: int = 1
    campaigns: int = 1
    over: timedelta = timedelta(0)
    within: timedelta | None = None
    until_life: bool = False

    def counts(
        self, bounce_class: BounceClass | None, fault: Fault | None, permanence: Permanence | None
    ) -> bool:
        """Whether a refusal read so is one of those counted."""
        return (
            fault is Fault.RECIPIENT
            and bounce_class in self.classes
            and (self.permanence is None or permanence is self.permanence)
        )

    def is_met(self, run: Collection[Told]) -> bool:
        """Whether these refusals, oldest first, are enough."""
        moments = [one.at for one in run]
        return (
            len({one.delivery_id for one in run}) >= self.messages
            and len({one.campaign_id for one in run}) >= self.campaigns
            and moments[-1] - moments[0] >= self.over
        )


@dataclass(frozen=True, slots=True)
class Finding:
    """That an address earned its suppression by `policy`, with the piece of news that was enough."""

    policy: str
    proof: Told


class _InForce:
    policies: tuple[Policy, ...] | None = None


def policies_in_force() -> tuple[Policy, ...]:
    """The policies of this process."""
    return _InForce.policies or shipped_policies()


def use_policies(file: Path | None) -> None:
    """Follow an installation's own file over the shipped one; RulesError when it is wrong."""
    _InForce.policies = read_policies(file) if file is not None and file.exists() else None


@cache
def shipped_policies() -> tuple[Policy, ...]:
    """The policies as they come with this version."""
    text = (resources.files("deliverability") / "rules" / "suppression.toml").read_text(encoding="utf-8")
    return tuple(_policy(row) for row in tomllib.loads(text)["policies"])


def read_policies(file: Path) -> tuple[Policy, ...]:
    """The shipped policies with an installation's own over them. RulesError says which one is wrong."""
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RulesError(f"{file}: {error}.", "Mend it: nobody is suppressed by half a policy.") from error
    rows = table.get("policies", [])
    if set(table) - {"policies", "version"} or not isinstance(rows, list):
        raise RulesError(f"{file}: only [[policies]] and version are known.")
    policies = {policy.name: policy for policy in shipped_policies()}
    for row in rows:
        try:
            if row.get("off", False) is True:
                policies.pop(row["id"])
            else:
                policies[str(row["id"])] = _policy(row)
        except RulesError as error:
            raise RulesError(f"{file}: {error.problem}", error.advice) from error
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise RulesError(f"{file}: a policy cannot be read: {error}.") from error
    return tuple(policies.values())


def judge(
    news: Iterable[Told],
    policies: Collection[Policy],
    *,
    since: Mapping[SuppressionReason, datetime] | None = None,
) -> dict[SuppressionReason, Finding]:
    """For which reasons an address is written to no more, by everything heard of it, in whatever order.

    `since`: what happened until a person decided to write there again does not count any more, by reason.
    """
    told = sorted(news, key=_in_time)
    failed = {one.delivery_id for one in told if one.kind in FAILURES}
    found: dict[SuppressionReason, Finding] = {}
    for policy in policies:
        start = (since or {}).get(policy.reason)
        proof = _proof(policy, [one for one in told if start is None or one.at > start], failed)
        first = found.get(policy.reason)
        if proof is not None and (first is None or proof.at < first.proof.at):
            found[policy.reason] = Finding(policy.name, proof)
    return found


def proves_life(one: Told, failed: Collection[int]) -> bool:
    """Whether a mailbox that brings such news is there. `failed`: messages that came to nothing after all."""
    if one.kind in PROMISES:
        return one.delivery_id not in failed
    return one.kind in DEEDS and not one.machine


def policy_at_once(verdict: Verdict) -> Policy | None:
    """The policy by which this refusal alone is enough."""
    for policy in policies_in_force():
        once = policy.messages <= 1 and policy.campaigns <= 1 and not policy.over
        if once and policy.counts(verdict.bounce_class, verdict.fault, verdict.permanence):
            return policy
    return None


def _proof(policy: Policy, told: Iterable[Told], failed: Collection[int]) -> Told | None:
    """The refusal with which the policy was met for the first time."""
    run: list[Told] = []
    for one in told:
        if policy.until_life and proves_life(one, failed):
            run = []
        elif one.kind in FAILURES and policy.counts(one.bounce_class, one.fault, one.permanence):
            run = [old for old in run if policy.within is None or one.at - old.at <= policy.within]
            run.append(one)
            if policy.is_met(run):
                return one
    return None


def _in_time(one: Told) -> tuple[datetime, bool, int, str, str, int]:
    """By when it happened; of what happened together, life last: for the person. Never by arrival alone."""
    return (one.at, one.kind in LIFE, one.delivery_id, one.kind.value, one.rule, one.event_id)


def _policy(row: Mapping[str, Any]) -> Policy:
    name = str(row.get("id", "without an id"))
    if unknown := set(row) - _KEYS:
        raise RulesError(
            f"policy {name}: unknown: {', '.join(sorted(unknown))}.", f"Known: {', '.join(sorted(_KEYS))}."
        )
    try:
        policy = Policy(
            name=row["id"],
            classes=frozenset(BounceClass(word) for word in row["classes"]),
            reason=SuppressionReason(row.get("reason", "hard_bounce")),
            permanence=Permanence(row["permanence"]) if "permanence" in row else None,
            messages=int(row.get("messages", 1)),
            campaigns=int(row.get("campaigns", 1)),
            over=read_span(row["over"]) if "over" in row else timedelta(0),
            within=read_span(row["within"]) if "within" in row else None,
            until_life=bool(row.get("until_life", False)),
        )
    except KeyError as error:
        raise RulesError(f"policy {name}: {error.args[0]} is missing.") from error
    except (ValueError, TypeError) as error:
        raise RulesError(f"policy {name}: {error}.") from error
    if never := policy.classes - BLAMABLE:
        words = ", ".join(sorted(never))
        raise RulesError(f"policy {name}: {words} never suppresses a person.", "It is not their doing.")
    if policy.reason not in REASONS or min(policy.messages, policy.campaigns) < 1:
        raise RulesError(f"policy {name}: reason is hard_bounce or provider, counts are 1 or more.")
    return policy
