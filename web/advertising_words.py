"""What the rules of political advertising say of a campaign's audience, in a sentence or two."""

from collections.abc import Mapping
from typing import Final

from audience.fields import FIELD_BY_NAME
from models.segment_tree import ATTRIBUTE_PREFIX
from models.states import LeftOutReason
from scheduler.advertising import Advertising, Choice, ChosenBy
from scheduler.preview import AudiencePreview
from web.i18n import N_, Tongue

_CHOICES: Final[Mapping[ChosenBy, str]] = {
    ChosenBy.INCLUDED: N_("the segments (%(fields)s)"),
    ChosenBy.EXCLUDED: N_("the segments kept out (%(fields)s)"),
    ChosenBy.SENDER: N_("who writes (%(fields)s)"),
    ChosenBy.MESSAGE: N_("parts of the message (%(fields)s)"),
}
_EXEMPT: Final = N_(
    "The same message to the whole list: no consent to targeting is needed (Regulation (EU) 2024/900,"
    " article 18(3))."
)
_TARGETED: Final = N_(
    "Political, and chosen by people’s data: %(choices)s. It goes only to those who agreed to that, and to"
    " nobody known to be under 17."
)
_SENSITIVE: Final = N_("Nobody may be chosen by this for a political message: %(parts)s.")
_NOBODY: Final[Mapping[LeftOutReason, str]] = {
    LeftOutReason.NO_CONSENT: N_(
        "Nobody would get it: nobody has agreed to it yet. Whoever did agree is imported once more, with"
        " where they said so."
    ),
    LeftOutReason.NO_TARGETING_CONSENT: N_(
        "Nobody would get it: nobody has agreed to be chosen by their data. Write the same to the whole list,"
        " or keep who did agree, by an import or on their page."
    ),
    LeftOutReason.ELECTION: N_(
        "Nobody would get it: they are all in the silence before a vote. Let it start after the vote."
    ),
}
"""What to do where all are left out, by what most are left out for."""
_OTHER_FIELDS: Final[Mapping[str, str]] = {
    "tag": N_("tags"),
    "age": N_("age"),
    "created": N_("date of arrival"),
    "updated": N_("last change"),
    "consent.targeting": N_("consent to targeting"),
    **dict.fromkeys(
        ("received", "opened", "clicked", "replied", "bounced", "complained", "unsubscribed"),
        N_("what they did with messages"),
    ),
}


def say_audience(tongue: Tongue, found: AudiencePreview) -> str:
    """What the rules ask of an audience, and what to do where they leave nobody; "" when nothing."""
    said = say_advertising(tongue, found.advertising)
    if found.deliveries or not found.left_out:
        return said
    most = max(found.left_out, key=lambda reason: found.left_out[reason])
    nobody = tongue.say(_NOBODY[most]) if most in _NOBODY else ""
    return " ".join(filter(None, (nobody, said)))


def say_advertising(tongue: Tongue, found: Advertising) -> str:
    """What it is to them, and why; "" when they do not concern it."""
    if not found.bound:
        return ""
    said = [tongue.say(_EXEMPT)]
    if found.targeted:
        said = [tongue.say(_TARGETED, choices=", ".join(_choice(tongue, one) for one in found.choices))]
    if found.sensitive:
        said.append(tongue.say(_SENSITIVE, parts=", ".join(found.sensitive)))
    return " ".join(said)


def _choice(tongue: Tongue, choice: Choice) -> str:
    named = dict.fromkeys(_field(tongue, field) for field in choice.fields)
    return tongue.say(_CHOICES[choice.by], fields=", ".join(named))


def _field(tongue: Tongue, name: str) -> str:
    """A field as people call it; a free attribute as their own file does."""
    if name in _OTHER_FIELDS:
        return tongue.say(_OTHER_FIELDS[name])
    known = FIELD_BY_NAME.get(name)
    if known is None:
        return name.removeprefix(ATTRIBUTE_PREFIX)
    label = known.label_fr if tongue.language == "fr" else known.label
    return label[:1].lower() + label[1:]
