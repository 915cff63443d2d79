"""Letters of mail systems, written for people: whom they name, and what they say of each.

Half of all bounces carry no status part. Mail systems differ in every word, but hardly in shape: an
address that stands at the head of a line (or in a field made for it), then what was said of it, until the
next address or the returned message. So the shape is read here, and the words are left to the rules.
Every step goes once through the text: no pattern here can try the same letters in two ways.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

MAX_LETTER = 30_000
MAX_NAMED = 50
ADDRESS = r"[^\s<>()\[\]:;,\"'|]{1,64}@[a-z0-9](?:[a-z0-9.-]{0,250}[a-z0-9])?"
_ANY_ADDRESS = re.compile(
    rf'(?<![^\s<>()\[\]:;,"\'|=*])(?:"[^"\s@]{{1,62}}"@[a-z0-9.-]{{3,250}}|{ADDRESS})', re.IGNORECASE
)
_HEAD = re.compile(
    r"^[ \t>*+-]{0,12}(?:(?:(?:original|final|intended|failed|actual)?[ -]?recipients?(?: address)?(?:\(s\))?"
    r"|(?:rfc822|x400)|to|e-?mail|(?:e-?mail )?address(?:e|es)?|rcpt to|sent to|failed addresse?s?"
    r"|user|mailbox|delivery userid|user mailbox|addressed to"
    r"|destinataires?|empf(?:ae|ä)nger(?:adresse)?|destinatari[oa]s?|adresse(?:e|se)?|宛先|受信者"
    r"|delivery failed \d{1,4} attempts|could not be delivered to|unable to deliver (?:mail )?to"
    r"|undeliverable to|user unknown|unknown user|mailbox full|not delivered to|recipient unknown)"
    r"[ \t]{0,8}[:;=：][ \t]{0,8}(?:rfc822;[ \t]{0,4})?)?"
    r"(?:[^\s<>@\":]{1,64}@[^\s<>@\":]{1,250} (?=<)|(?:[^\s<>@\":]{1,40} ){0,4}|\"[^\"\n]{0,80}\" ?)<?("
    + ADDRESS
    + r")>?(?=$|[\s:;,.)\]…-])",
    re.IGNORECASE | re.MULTILINE,
)
_CODE_FIRST = re.compile(r"[ \t]*[45]\d\d[ -]")
_CAME_FROM = re.compile(r"(?<!generated )(?<!expanded )\bfrom:?\s{1,4}[<\"']?$", re.IGNORECASE)
_BELOW = re.compile(
    r"(?:did not reach|could not be reached)[^\n:]{0,80}:[ \t]*$", re.IGNORECASE | re.MULTILINE
)
"""What stands above it describes the message; whom it missed comes below."""
_RCPT = re.compile(rf"rcpt to: ?<?({ADDRESS})>?", re.IGNORECASE)
_NAMED = re.compile(
    r"(?:deliver\w*|sen[dt]|message|mail|e-?mail|zugestellt|distribu\w*|remis|remettre|entregar|recapitare) "
    rf"(?:\w+ ){{0,4}}(?:to|an|à|a|para)"
    rf"(?: the| following| address(?:es)?| recipient(?:s)?)*:?\s{{1,4}}<?({ADDRESS})",
    re.IGNORECASE,
)
_ORIGINAL = re.compile(
    r"^[ \t>*=_#|+-]{0,80}(?:(?:the |your |this is a |a |text of |unsent |start of |begin(?:ning)? of )?"
    r"(?:copy of (?:the |your )?(?:original )?(?:message|mail)"
    r"|(?:original|returned|undelivered|unsent|bounced|failed) (?:message|mail|e-?mail)"
    r"(?! (?:was|has|cannot|could|that|system|to|did|delivery))"
    r"|(?:message|mail) headers? (?:follow|are)|headers? of (?:the )?(?:original|message)"
    r"|message d.origine|message original|urspr(?:ü|ue)ngliche nachricht|messaggio originale|mensaje original"
    r"|mensagem original|元のメッセージ|received: (?:from|by) )"
    r"|(?:below|beyond) this line is|below is a copy|-{2,} (?:returned|original|message)|return-path: ?<"
    r"|(?:this is a copy of|here is (?:a copy of )?the) (?:the |your )?(?:original |returned )?"
    r"(?:message|mail|headers))",
    re.IGNORECASE | re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Named:
    """One address a letter names, and what it says of it: at most 2,000 characters on one line."""

    address: str
    text: str


def own_part(text: str) -> str:
    """The letter without the message it returns: nothing in that is news."""
    text = text[:MAX_LETTER].replace("\r\n", "\n").replace("\r", "\n")
    for found in _ORIGINAL.finditer(text):
        # "Original message follows" on the first line would leave nothing to read.
        if text[: found.start()].strip():
            return text[: found.start()]
    return text


def named_in(letter: str, others: Collection[str], *, anywhere: bool = False) -> list[Named]:
    """Whom the letter is about, in its order, `others` (those who write and receive it) left out.

    An address at the head of a line wins over one in a sentence, and that over one that merely occurs;
    `anywhere`: the first that occurs.
    """
    if anywhere:
        places = _first_places(_of(_ANY_ADDRESS, letter), others)[:1]
        return [Named(places[0][2], " ".join(letter.split())[:2000])] if places else []
    below = _BELOW.search(letter)
    if below is not None and _ANY_ADDRESS.search(letter, below.end()):
        letter = letter[below.end() :]
    heads = _first_places(_of(_HEAD, letter), others)
    if heads and not all(_CODE_FIRST.match(letter, start) for start, _, _ in heads):
        return _cut(letter, heads)
    told = _first_places(_of(_NAMED, letter), others)
    if heads or told:
        # What a sentence says counts more than what the far server mentions in its reply.
        return _cut(letter, told if told and told[0][0] < (heads or told)[0][0] else heads or told)
    for pattern in (_RCPT, _ANY_ADDRESS):
        places = _first_places(_of(pattern, letter), others)
        if places:
            return _cut(letter, places)
    return []


def _of(pattern: re.Pattern[str], letter: str) -> Iterator[tuple[int, int, str]]:
    """What a pattern finds, whole or its first group; not an address that something came from."""
    group = 1 if pattern.groups else 0
    for found in pattern.finditer(letter):
        if not _CAME_FROM.search(letter, max(0, found.start(group) - 12), found.start(group)):
            yield found.start(), found.end(), found[group]


def _first_places(
    found: Iterator[tuple[int, int, str]], others: Collection[str]
) -> list[tuple[int, int, str]]:
    places: dict[str, tuple[int, int, str]] = {}
    for start, end, written in found:
        address = written[5:] if written[:5].lower() == "smtp=" else written
        key = address.strip(".").lower()
        if key not in others and key not in places and not _is_machine(key):
            places[key] = (start, end, address.strip("."))
            if len(places) >= MAX_NAMED:
                break
    return list(places.values())


def _cut(letter: str, places: list[tuple[int, int, str]]) -> list[Named]:
    """Each address with the text up to the next one; the preface helps when that says nothing."""
    named: list[Named] = []
    preface = letter[: places[0][0]]
    done = 0
    for place, (start, end, address) in enumerate(places):
        if _CODE_FIRST.match(letter, start):
            # A transcript: what led to it stands above the line that names the address.
            stop = letter.find("\n", end)
            stop = stop if stop >= 0 else len(letter)
            named.append(Named(address, " ".join(letter[done:stop].split())[-2000:]))
            done = stop
            continue
        until = places[place + 1][0] if place + 1 < len(places) else len(letter)
        line = letter[start:end] if len(letter[start:end].split()) > 2 else ""
        said = " ".join(f"{line} {letter[end:until]}".split())[:2000].lstrip(" :")
        if len(said) < 12 or not any(sign.isalpha() for sign in said):
            said = f"{said} {' '.join(preface.split())[-1500:]}".strip()
        named.append(Named(address, said))
    return named


def _is_machine(address: str) -> bool:
    local = address.partition("@")[0]
    return local in {"mailer-daemon", "postmaster", "mailerdaemon", "abuse", "mdaemon"} or "." not in address
