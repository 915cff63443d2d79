"""What is known of a contact: the fields, their names in both languages, and the columns they come from."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from audience.territory import DEPARTEMENTS, REGIONS
from models.contact import Contact
from models.text import fold
from store.people import Person

__all__ = ["FIELDS", "FIELD_BY_NAME", "KnownField", "contact_values"]


@dataclass(frozen=True, slots=True)
class KnownField:
    """One field: `name` in files and templates, labels and one line of help for people.

    `headers` are the headings under which files bring it, folded (`models.text.fold`), the surest first.
    `merge` tells whether a message can be personalised with it.
    """

    name: str
    label: str
    label_fr: str
    help: str
    help_fr: str
    headers: tuple[str, ...]
    merge: bool = False


def _field(
    name: str, labels: str, help_text: str, help_fr: str, headers: str = "", *, merge: bool = False
) -> KnownField:
    """`labels` is English / French; `headers` are further headings, divided by commas."""
    label, _, label_fr = labels.partition(" / ")
    known = [name, label, label_fr or label, *headers.split(",")]
    folded = tuple(dict.fromkeys(fold(heading) for heading in known if heading.strip()))
    return KnownField(name, label, label_fr or label, help_text, help_fr, folded, merge)


FIELDS: Final[tuple[KnownField, ...]] = (
    _field("external_id", "Identifier / Identifiant", "The number of the person in your own records.",
           "Le numéro de la personne dans votre fichier.",
           "id,external id,numero adherent,numero d'adherent,member id,id contact,contact id"),
    _field("email", "E-mail / Adresse e-mail", "One mailbox, one contact.", "Une boîte, un contact.",
           "email,mail,e mail,courriel,adresse mail,adresse email,adresse electronique,"
           "email address,adresse courriel,e mail address,mel,emails", merge=True),
    _field("phone", "Mobile phone / Téléphone portable",
           "French numbers as usual, others with their country code.",
           "Numéros français comme d’habitude, les autres avec l’indicatif.",
           "mobile,portable,gsm,tel portable,tel mobile,telephone mobile,numero de portable,"
           "mobile number,cell phone,phone,telephone,tel,phone number,numero de telephone", merge=True),
    _field("civility", "Civility / Civilité", "M. or Mme.", "M. ou Mme.", "title,titre,salutation",
           merge=True),
    _field("first_name", "First name / Prénom", "", "", "given name,firstname,prenoms", merge=True),
    _field("last_name", "Last name / Nom", "", "",
           "surname,family name,lastname,nom de famille,nom d'usage,nom usuel", merge=True),
    _field("language", "Language / Langue", "Two letters: fr, en.", "Deux lettres : fr, en.", "lang,locale"),
    _field("birth_date", "Birth date / Date de naissance", "2000-12-31 or 31/12/2000.",
           "31/12/2000 ou 2000-12-31.", "date of birth,birthday,naissance,ne le,nee le,ne e le"),
    _field("level", "Membership level / Niveau d'adhésion", "Member, sympathiser, donor, in your own words.",
           "Adhérent, sympathisant, donateur, dans vos mots.",
           "niveau,niveau adhesion,membership,adhesion,statut adhesion", merge=True),
    _field("commune", "Commune", "", "", "ville,city,town,localite,municipality,nom commune", merge=True),
    _field("postcode", "Postcode / Code postal", "Gives the département when the file does not.",
           "Donne le département quand le fichier ne le dit pas.", "cp,zip,zip code,postal code,codepostal",
           merge=True),
    _field("departement", "Département", "A code or a name.", "Un code ou un nom.",
           "dept,dpt,dep,department,code departement,county", merge=True),
    _field("region", "Région", "A code or a name.", "Un code ou un nom.", "code region", merge=True),
    _field("canton", "Canton", "", "", "", merge=True),
    _field("circonscription", "Constituency / Circonscription", "As in 13-04.", "Par exemple 13-04.",
           "circo,circonscription legislative", merge=True),
    _field("polling_station", "Polling station / Bureau de vote", "", "", "bureau,bv,numero bureau de vote",
           merge=True),
    _field("country", "Country / Pays", "Outside France a postcode tells nothing of the département.",
           "Hors de France, un code postal ne dit rien du département.", ""),
    _field("tags", "Tags / Étiquettes", "Several are divided by a comma, a semicolon or a bar.",
           "Séparées par une virgule, un point-virgule ou une barre.",
           "tag,etiquette,mots cles,labels"),
    _field("email_consent", "E-mail consent / Consentement e-mail", "Yes, no, or the date of the agreement.",
           "Oui, non, ou la date de l’accord.",
           "consentement email,consentement mail,consent email,consent,consentement,opt in,optin,"
           "opt in email,optin email,accepte les emails,email opt in"),
    _field("email_consent_at", "Date of e-mail consent / Date du consentement e-mail",
           "When the person said so.", "Quand la personne l’a dit.",
           "email consent date,date consentement email,date du consentement email"),
    _field("email_consent_source", "Source of e-mail consent / Source du consentement e-mail",
           "A form, a paper, an event.", "Formulaire, bulletin, réunion.", "email consent source"),
    _field("email_refusal", "Refuses e-mails / Refuse les e-mails",
           "Yes, a date or a reason: no more e-mails. No says nothing.",
           "Oui, une date ou une raison : plus d’e-mails. Non ne dit rien.",
           "do not email,no bulk emails (user opt out),unsubscribed from all email,unsubscribed,"
           "email opt out,optout email,opt out email,desinscrit,desabonne,ne pas contacter,do not contact,"
           "unsub time"),
    _field("sms_consent", "SMS consent / Consentement SMS", "Yes, no, or the date of the agreement.",
           "Oui, non, ou la date de l’accord.",
           "consent sms,opt in sms,optin sms,accepte les sms,sms opt in"),
    _field("sms_consent_at", "Date of SMS consent / Date du consentement SMS", "When the person said so.",
           "Quand la personne l’a dit.", "sms consent date,date consentement sms"),
    _field("sms_consent_source", "Source of SMS consent / Source du consentement SMS",
           "A form, a paper, an event.", "Formulaire, bulletin, réunion.", "sms consent source"),
    _field("sms_refusal", "Refuses SMS / Refuse les SMS",
           "Yes, a date or a reason: no more text messages. No says nothing.",
           "Oui, une date ou une raison : plus de SMS. Non ne dit rien.",
           "do not sms,sms opt out,optout sms,opt out sms"),
    _field("targeting_consent", "Consent to targeting / Consentement au ciblage",
           "To political messages chosen by one’s data: yes, no, or the date of the agreement.",
           "Aux messages politiques choisis d’après ses données : oui, non, ou la date de l’accord.",
           "consentement ciblage,targeting consent,consent targeting,accepte le ciblage,accord ciblage,"
           "opt in ciblage,optin ciblage,targeting opt in"),
    _field("targeting_consent_at", "Date of consent to targeting / Date du consentement au ciblage",
           "When the person said so.", "Quand la personne l’a dit.",
           "targeting consent date,date consentement ciblage,date du consentement ciblage,date ciblage"),
    _field("targeting_consent_source", "Source of consent to targeting / Source du consentement au ciblage",
           "A form, a paper, an event.", "Formulaire, bulletin, réunion.",
           "targeting consent source,source consentement ciblage,source du consentement ciblage"),
    _field("consent_at", "Date of consent / Date du consentement", "For all of them.",
           "Pour tous.", "consent date,date consentement,date opt in,date optin"),
    _field("consent_source", "Source of consent / Source du consentement", "For all of them.",
           "Pour tous.", "source consentement,origine du consentement"),
)  # fmt: skip
"""Every field a file can bring, besides free attributes."""

FIELD_BY_NAME: Final = MappingProxyType({field.name: field for field in FIELDS})
_MERGED: Final = tuple(field.name for field in FIELDS if field.merge)
_ITS_OWN: Final = frozenset(_MERGED)
_SPELT_OUT: Final = MappingProxyType({"departement": DEPARTEMENTS, "region": REGIONS})


def values_of(person: Person, tags: Sequence[str], names: Collection[str]) -> dict[str, str]:
    """Those of `contact_values` that are called one of `names`."""
    values: dict[str, str] = {}
    for name in names:
        value: str | None
        if name in _ITS_OWN:
            value = getattr(person, name)
            if value and name in _SPELT_OUT:
                value = _SPELT_OUT[name].get(value, value)
        elif name == "tags" and tags:
            value = ", ".join(tags)
        else:
            value = person.attributes.get(name)
        if value:
            values[name] = value
    return values


def contact_values(contact: Contact | Person, tags: Sequence[str]) -> dict[str, str]:
    """What a message to this person may say: merge fields and free attributes by name, empty ones left out.

    Département and région by name, not by code. A free attribute never hides a field of the same name.
    `tags` are the labels, for `{{ tags }}`.
    """
    values = {name: value for name, value in contact.attributes.items() if value}
    for name in _MERGED:
        value = getattr(contact, name)
        if value:
            values[name] = value
        else:
            values.pop(name, None)
    if contact.departement:
        values["departement"] = DEPARTEMENTS.get(contact.departement, contact.departement)
    if contact.region:
        values["region"] = REGIONS.get(contact.region, contact.region)
    if tags:
        values["tags"] = ", ".join(tags)
    return values
