"""Template versions compiled once and kept at hand, for programs that ask for one message after the other."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass

from models.states import Channel
from scheduler.content import compile_version
from store import Database, templates
from templates import CompiledEmail, CompiledSms

KEPT = 64
"""Compiled versions kept; one more, and the one used longest ago is compiled anew when it is asked for."""


@dataclass(frozen=True, slots=True)
class Form:
    """One template version: its template's name, its number, its channel, and what it was compiled into."""

    version_id: int
    template_id: int
    name: str
    number: int
    channel: Channel
    compiled: CompiledEmail | CompiledSms

    @property
    def links(self) -> tuple[str, ...]:
        """Where its numbered links lead; none in a text message."""
        return self.compiled.links if isinstance(self.compiled, CompiledEmail) else ()


class Forms:
    """Compiles versions when they are first asked for; they never change."""

    def __init__(self, database: Database, language: str) -> None:
        """`language`: of messages that say nothing of theirs."""
        self._database = database
        self._language = language
        self._kept: OrderedDict[int, Form] = OrderedDict()

    async def get(self, version_id: int) -> Form:
        """The version; NotFoundError when there is none, TemplateError when it cannot be compiled."""
        known = self._kept.get(version_id)
        if known is None:
            known = await self._make(version_id)
            self._kept[version_id] = known
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(version_id)
        return known

    async def _make(self, version_id: int) -> Form:
        async with self._database.read() as session:
            version = await templates.get_version(session, version_id)
            template = await templates.template_of(session, version)
        channel = template.channel
        compiled = await asyncio.to_thread(compile_version, version, channel, language=self._language)
        return Form(version_id, template.id, template.name, version.number, channel, compiled)
