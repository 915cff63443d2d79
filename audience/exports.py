"""Files that other programs export, recognised by their headings, and which of their columns is which field.

What the columns mean is those programs' affair: an opt-in is consent, an opt-out a refusal, a silent "no" in
a column of opt-outs is neither. Columns of no use to anybody (internal numbers, coordinates) are left out;
all others are kept as free attributes, as in any file.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from models.text import fold

__all__ = ["EXPORTS", "Export", "recognise"]


@dataclass(frozen=True, slots=True)
class Export:
    """A program's export. It is one when all headings of one of `signs` are there (folded, as all here are).

    `fields`: heading → field; `useless`: headings that are left out.
    """

    key: str
    name: str
    signs: tuple[frozenset[str], ...]
    fields: Mapping[str, str]
    useless: Collection[str] = field(default_factory=frozenset)


def _export(key: str, name: str, *signs: str, fields: Mapping[str, str], useless: str = "") -> Export:
    """`signs` and `useless`: headings divided by commas; `fields`: field → headings, the surest first."""
    known = {
        fold(heading): its
        for its, headings in fields.items()
        for heading in headings.split(",")
        if heading.strip()
    }
    return Export(
        key,
        name,
        tuple(frozenset(fold(heading) for heading in sign.split(",")) for sign in signs),
        MappingProxyType(known),
        frozenset(fold(heading) for heading in useless.split(",") if heading.strip()),
    )


EXPORTS: Final[tuple[Export, ...]] = (
    _export(
        "nationbuilder", "NationBuilder", "nationbuilder_id",
        fields={
            "external_id": "nationbuilder_id",
            "email": "email,email1",
            "phone": "mobile_number,mobile",
            "first_name": "first_name", "last_name": "last_name", "civility": "prefix",
            "birth_date": "born_at,birthdate",
            "level": "membership_name,support_level_name",
            "commune": "primary_city,registered_city,user_submitted_city",
            "postcode": "primary_zip,registered_zip,user_submitted_zip",
            "departement": "primary_county",
            "country": "primary_country_code,registered_country_code",
            "tags": "tag_list",
            "email_consent": "email_opt_in", "sms_consent": "mobile_opt_in",
            "email_refusal": "unsubscribed_at,do_not_contact,email1_is_bad,is_email_bad",
            "sms_refusal": "do_not_contact_by_sms,is_mobile_bad",
        },
        useless="federal_donotcall,is_deceased,nbec_guid,ngp_id,van_id,rnc_id,salesforce_id,catalist_id,datatrust_id,"
        "rnc_regid,state_file_id,county_file_id,dw_id,pf_strat_id,signup_sources,profile_image_url_ssl",
    ),
    _export(
        "qomon", "Qomon", "firstname,surname,mail,postalcode", "prenom,nom,mail,code postal,statut qomon",
        "first name,last name,mail,mobile,postal code,support level",
        fields={
            "external_id": "contact id,qomon id",
            "email": "mail", "phone": "mobile,telephone mobile",
            "first_name": "firstname,first name,prenom", "last_name": "surname,last name,nom",
            "civility": "gender,civilite",
            "birth_date": "birthdate,birth date,date de naissance",
            "level": "support level,niveau de soutien,statut qomon",
            "commune": "city,ville", "postcode": "postalcode,postal code,code postal",
            "country": "country,pays", "polling_station": "polling station,bureau de vote",
            "tags": "tags,etiquettes",
            "email_consent": "optin mail,email consent,consentement mail",
            "sms_consent": "optin sms,sms consent,consentement sms",
        },
        useless="latitude,longitude,kind,address quality",
    ),
    _export(
        "mailchimp", "Mailchimp", "email address,leid,euid", "email address,member_rating,optin_time",
        fields={
            "external_id": "euid",
            "email": "email address", "phone": "phone number,sms phone number",
            "first_name": "first name", "last_name": "last name",
            "birth_date": "date of birth",
            "language": "language",
            "tags": "tags",
            "email_consent": "confirm_time,optin_time",
            "email_refusal": "unsub_time,clean_time",
        },
        useless="member_rating,optin_ip,confirm_ip,latitude,longitude,gmtoff,dstoff,timezone,cc,region,last_changed,"
        "leid,birthday,clean_campaign_id,clean_campaign_title,unsub_campaign_id,unsub_campaign_title",
    ),
    _export(
        "brevo", "Brevo", "email,double_opt-in,opt_in", "email,sms,added_time,modified_time",
        "contact id,email,sms,ext_id",
        fields={
            "external_id": "ext_id,contact id",
            "email": "email", "phone": "sms",
            "first_name": "firstname,prenom", "last_name": "lastname,nom",
            "email_consent": "double_opt-in,opt_in,email_marketing",
            "sms_consent": "sms_marketing",
            "email_refusal": "email_blacklisted,emailblacklisted,blocklisted,unsubscribed",
            "sms_refusal": "sms_blacklisted,smsblacklisted",
        },
        useless="added_time,modified_time,_listids,landline_number,whatsapp",
    ),
    _export(
        "civicrm", "CiviCRM", "contact id,contact type,do not email", "internal contact id,contact type",
        "contact id,contact type,no bulk emails (user opt out)",
        fields={
            "external_id": "contact id,internal contact id",
            "email": "email,home-email,main-email",
            "phone": "phone-mobile,home-phone-mobile,phone,home-phone",
            "first_name": "first name", "last_name": "last name", "civility": "individual prefix",
            "birth_date": "birth date", "language": "preferred language",
            "commune": "city", "postcode": "postal code", "departement": "county",
            "region": "state", "country": "country",
            "tags": "tag(s),tags", "level": "membership type",
            "email_refusal": "do not email,no bulk emails (user opt out),on hold",
            "sms_refusal": "do not sms",
        },
        useless="contact type,contact subtype,legal identifier,sort name,display name,image url,source,hash,"
        "communication style,email greeting,postal greeting,addressee,do not phone,do not mail,do not trade,"
        "preferred mail format,is deceased,latitude,longitude,location type,im provider,image_url",
    ),
    _export(
        "action_network", "Action Network", "email,can2_subscription_status", "email,can2_user_tags",
        "uuid,email,zip_code,can2_phone",
        fields={
            "external_id": "uuid",
            "email": "email", "phone": "can2_phone,phone number,phone",
            "first_name": "first_name", "last_name": "last_name",
            "language": "language,can2_language",
            "commune": "can2_user_city,city", "postcode": "zip_code",
            "departement": "can2_county,county", "country": "country",
            "tags": "can2_user_tags",
            "email_consent": "can2_subscription_status", "sms_consent": "can2_sms_status",
        },
        useless="can2_user_address,can2_state_abbreviated,can2_user_state,latitude,longitude",
    ),
    _export(
        "hubspot", "HubSpot", "record id,email,lifecycle stage",
        "record id,email,unsubscribed from all email",
        "record id,first name,last name,email,create date", "contact id,email,lifecycle stage",
        fields={
            "external_id": "record id,contact id",
            "email": "email", "phone": "mobile phone number,phone number",
            "first_name": "first name", "last_name": "last name", "civility": "salutation",
            "birth_date": "date of birth", "language": "preferred language",
            "commune": "city", "postcode": "postal code,zip", "region": "state/region",
            "country": "country/region,country",
            "level": "membership level",
            "email_refusal": "unsubscribed from all email,email hard bounce reason,opted out of all email",
        },
        useless="create date,last modified date,last activity date,contact owner,associated company,"
        "associated company ids,original source,original traffic source,lead status,lifecycle stage,"
        "email domain,marketing contact status",
    ),
)  # fmt: skip
"""The programs whose exports are known, the surest signs first."""


def recognise(header: Sequence[str]) -> Export | None:
    """The program a file with these headings comes from; None when nothing tells."""
    titles = {fold(title) for title in header}
    return next((export for export in EXPORTS if any(sign <= titles for sign in export.signs)), None)
