"""The workshop that says what is said: templates in, messages out.

What comes in: a template's source (MJML or text, with merge fields) and one person's values. What goes out:
a compiled template, from it `EmailMessage` and `SmsMessage` values in their transfer encoding, the fields a
person lacks, the targets of links, and findings about a template before it is sent. Pure: no records, no
network, no files but its own starters. The scheduler, the pages and the command line may call it.
"""

from typing import TYPE_CHECKING

from models.on_demand import offered

if TYPE_CHECKING:
    from templates.compilation import CompiledEmail, compile_email
    from templates.gallery import starters
    from templates.links import render_target
    from templates.lint import lint_email, lint_sms
    from templates.sms import CompiledSms, compile_sms
else:
    __getattr__ = offered(
        __name__,
        {
            "CompiledEmail": "compilation",
            "CompiledSms": "sms",
            "compile_email": "compilation",
            "compile_sms": "sms",
            "lint_email": "lint",
            "lint_sms": "lint",
            "render_target": "links",
            "starters": "gallery",
        },
    )

__all__ = [
    "CompiledEmail",
    "CompiledSms",
    "compile_email",
    "compile_sms",
    "lint_email",
    "lint_sms",
    "render_target",
    "starters",
]
