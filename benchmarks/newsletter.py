"""The message that is measured: a newsletter of some 45 kB on the wire, as associations send them.

Six merge fields, a condition, a loop over the person's interests, twelve links. Two forms of the same: MJML
for Tocsin, and finished HTML with Jinja in it for those it is compared with.
"""

from collections.abc import Mapping

SUBJECT = "{{ first_name }}, la lettre de printemps de {{ commune }}"
PREHEADER = "Ce que nous avons fait ensemble"
LINKS = tuple(
    f"https://www.association.example/{path}?utm_source=lettre&utm_campaign=printemps"
    for path in (
        *("", "actualites", "agenda", "don", "adherer", "dossiers/eau", "dossiers/transports"),
        *("dossiers/ecole", "portraits/ateliers", "boutique", "contact", "compte"),
    )
)
PARAGRAPH = (
    "Le printemps commence par quatre ateliers que nous préparons depuis des mois avec celles et ceux qui "
    "vivent ici. Chaque rencontre est ouverte, gratuite, et son compte rendu est publié le lendemain, avec "
    "les noms de toutes les personnes qui y ont travaillé. "
)
ROWS = 40


def _article(title: str, link: str, number: int) -> str:
    picture = f"https://images.association.example/{number}.jpg"
    return (
        f'<mj-column width="50%"><mj-image src="{picture}" alt="{title}" href="{link}" />'
        f'<mj-text font-size="18px" font-weight="bold">{title}</mj-text><mj-text>{PARAGRAPH}</mj-text>'
        f'<mj-button href="{link}" background-color="#1f5f5b">Lire : {title}</mj-button></mj-column>'
    )


def _table() -> str:
    lines = "".join(
        f'<tr><td style="padding:4px">{number}</td><td style="padding:4px">Atelier numéro {number}, salle '
        f'commune</td><td style="padding:4px">{number % 12 + 8} h 30</td></tr>'
        for number in range(1, ROWS + 1)
    )
    return f"<mj-table><tr><th>N°</th><th>Rencontre</th><th>Heure</th></tr>{lines}</mj-table>"


def _greeting() -> str:
    return f"""<mj-section background-color="#ffffff"><mj-column>
<mj-text font-size="26px">Bonjour {{{{ first_name }}}}, c’est le printemps à {{{{ commune }}}}</mj-text>
<mj-text>{PARAGRAPH * 2}</mj-text>
<mj-text>{{% if level == "adhérent" %}}Votre adhésion court toujours, avec {{{{ points }}}} heures données.
{{% else %}}Vous n’êtes pas encore adhérent : il est temps.{{% endif %}}
Dernière rencontre : {{{{ derniere }}}}. Vos sujets :
{{% for sujet in sujets.split(",") %}}<b>{{{{ sujet }}}}</b> {{% endfor %}}</mj-text>
<mj-button href="{LINKS[1]}" background-color="#1f5f5b">Toutes les actualités</mj-button>
</mj-column></mj-section>"""


def mjml() -> str:
    """The template as a person would write it."""
    pairs = [
        _article("L’eau", LINKS[5], 1) + _article("Les transports", LINKS[6], 2),
        _article("L’école", LINKS[7], 3) + _article("Les ateliers", LINKS[8], 4),
        _article("L’agenda", LINKS[2], 5) + _article("La boutique", LINKS[9], 6),
    ]
    articles = "".join(f'<mj-section background-color="#ffffff">{pair}</mj-section>' for pair in pairs)
    return f"""<mjml><mj-head><mj-title>Lettre de printemps</mj-title>
<mj-attributes><mj-all font-family="Helvetica, Arial, sans-serif" />
<mj-text line-height="1.5" color="#333333" /></mj-attributes></mj-head>
<mj-body background-color="#f4f2ee" width="620px">
<mj-section background-color="#ffffff"><mj-column><mj-image width="180px" alt="L’association"
 src="https://images.association.example/logo.png" href="{LINKS[0]}" /></mj-column></mj-section>
{_greeting()}{articles}
<mj-section background-color="#1f5f5b"><mj-column><mj-text color="#ffffff" align="center">Votre code :
{{{{ code }}}}</mj-text><mj-button href="{LINKS[3]}">Donner</mj-button>
<mj-button href="{LINKS[4]}">Adhérer</mj-button></mj-column></mj-section>
<mj-section background-color="#ffffff"><mj-column>{_table()}</mj-column></mj-section>
<mj-section><mj-column><mj-text font-size="12px"><a href="{LINKS[10]}">Nous écrire</a> ·
<a href="{LINKS[11]}">Votre compte</a> · <a href="{{{{ unsubscribe_url }}}}">Se désabonner</a><br />
{{{{ organisation }}}}, {{{{ postal_address }}}}</mj-text></mj-column></mj-section>
</mj-body></mjml>"""


def person(number: int) -> Mapping[str, str]:
    """The merge values of one of them."""
    return {
        "first_name": f"Camille{number % 977}",
        "commune": f"Saint-Étienne-{number % 89}",
        "level": "adhérent" if number % 3 else "sympathisant",
        "points": str(number % 120),
        "derniere": f"{number % 28 + 1} mars",
        "sujets": "eau,école" if number % 2 else "transports,agenda,boutique",
        "code": f"P{number:08}",
    }
