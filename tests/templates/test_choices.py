"""Which parts of a template make some people read something else than others."""

import pytest

from templates.choices import deciding_fields
from templates.gallery import starters

PARAGRAPH = "Une loi de plus, et elle vous concerne : venez en parler avec nous." * 4


@pytest.mark.parametrize(
    "source",
    [
        "Bonjour {{ first_name }}",
        "Bonjour {{ first_name|default('à vous') }}",
        "Bonjour{% if first_name %} {{ first_name }}{% endif %},",
        "{% if civility and last_name %}{{ civility }} {{ last_name }}{% else %}{{ first_name }}{% endif %},",
        "{% if commune is defined %}à {{ commune }}{% else %}chez vous{% endif %}",
        "{% if not first_name %}Bonjour{% else %}{{ first_name }}{% endif %}",
        "{% if civility == 'Mme' %}Chère{% else %}Cher{% endif %} {{ first_name }}",
        "{{ 'Chère' if civility == 'Mme' else 'Cher' }} {{ first_name }}",
        "{{ first_name|default(last_name)|title }}, {{ commune.strip() }}",
        "{% for number in range(3) %}{{ loop.index }}{{ number }}{% endfor %}",
        '<a href="https://exemple.fr/?ou={{ commune }}" style="color:red">ici</a>',
        '<img src="https://exemple.fr/carte/{{ first_name }}.png" alt="{{ commune }}">',
        "Rien à remplir",
        "{% if cassé",
        '<p class="\ue0007\ue001{{ commune }}">',
    ],
)
def test_a_blank_filled_or_a_word_that_agrees_chooses_nothing(source: str) -> None:
    assert deciding_fields(source) == frozenset()


@pytest.mark.parametrize(
    ("source", "fields"),
    [
        ("{% if commune == 'Lyon' %}Place Bellecour{% endif %}", {"commune"}),
        ("{% if level == 'adhérent' %}a{% elif tags %}b{% endif %}", {"level", "tags"}),
        ("{% if tags %}{{ tags }}{% endif %}", {"tags"}),
        ("{% if metier %}{{ metier }}{% endif %}", {"metier"}),
        ("{% if first_name %}Une autre lettre{% endif %}", {"first_name"}),
        (f"{{% if commune %}}{{{{ commune }}}} {PARAGRAPH}{{% endif %}}", {"commune"}),
        (f"{{% if civility == 'Mme' %}}{PARAGRAPH}{{% endif %}}", {"civility"}),
        ("{% if civility == 'Mme' and commune == 'Lyon' %}x{% endif %}", {"civility", "commune"}),
        ("{{ 'a' if level == 'adhérent' else 'b' }}", {"level"}),
        ("{{ (commune == 'Lyon' and 'a') or 'b' }}", {"commune"}),
        ("{{ ['a', 'b'][enfants|int] }}", {"enfants"}),
        ("{{ 'Un autre texte'|truncate(enfants|int) }}", {"enfants"}),
        ("{{ 'Un autre texte'|truncate(length=enfants|int) }}", {"enfants"}),
        ("{{ 'A Lyon B'.split(commune)|last }}", {"commune"}),
        ('<mj-image src="https://exemple.fr/{{ departement }}.png" />', {"departement"}),
        ("<mj-image src='https://exemple.fr/{{ tags|default(\"x\") }}.png' />", {"tags"}),
        ('<mj-text css-class="pour-{{ departement }}">Un autre texte</mj-text>', {"departement"}),
        ('<p style="display:{{ etat }}">Un autre texte</p>', {"etat"}),
        ("<mj-style>.pour-{{ level }}{display:block}</mj-style>{{ commune }}", {"level"}),
        ("{% for tag in tags.split(', ') %}{{ tag }}{% endfor %}", {"tags"}),
        ("{% for n in range(3) if commune == 'Lyon' %}{{ n }}{% endfor %}", {"commune"}),
        ("{% if sender_name == 'x' %}y{% endif %}", {"sender_name"}),
    ],
)
def test_a_condition_or_a_loop_on_what_is_known_of_a_person_does(source: str, fields: set[str]) -> None:
    assert deciding_fields("Bonjour", source) == fields


def test_no_starter_chooses_by_a_person() -> None:
    for starter in starters():
        found = deciding_fields(starter.subject, starter.preheader, starter.body)
        assert found <= {"postal_address"}, starter.name
