"""What a look before sending finds of elections and of political advertising, in words."""

from collections.abc import Mapping
from types import MappingProxyType

from web.i18n import N_
from web.lint_entry import LintWords

LAW_WORDS: Mapping[str, LintWords] = MappingProxyType(
    {
        "silence.within": LintWords(
            N_("Election silence does not hold at the start"),
            N_(
                "Everybody it would go to is in election silence then: %(people)s (%(votes)s). Silence lasts"
                " until %(over)s."
            ),
            N_(
                "Start earlier, or after the vote. Going past this check lets nothing leave: only a waiver"
                " does, which one person asks for and another agrees to."
            ),
        ),
        "silence.some": LintWords(
            N_("Nobody is in election silence at the start"),
            N_(
                "People in election silence at the start, where they live: %(people)s (%(votes)s). They are"
                " left out."
            ),
            N_("Start earlier for them. Only a waiver lets it leave in silence."),
        ),
        "silence.cuts": LintWords(
            N_("Everything leaves before election silence begins"),
            N_(
                "Messages that at this pace would not leave before their last moment, %(cut_off)s:"
                " %(people)s."
            ),
            N_("Start earlier, or raise the pace: what has not left by then does not leave at all."),
        ),
        "silence.eve": LintWords(
            N_("No election silence begins within two days of the start"),
            N_("Election silence begins soon, on %(begins)s (%(votes)s)."),
            N_(
                "So late the law allows no new argument that others could not answer any more, and no results"
                " of opinion polls on the eve and on the day."
            ),
        ),
        "nature.unsaid": LintWords(
            N_("It is said whether the campaign is political"),
            N_("Nobody said whether the campaign is political or civic. Election silence binds it."),
            N_("Say so in the campaign: a political one needs a label, a civic one may leave before a vote."),
        ),
        "ad.sensitive": LintWords(
            N_("Nobody is chosen by opinion, religion, origin, health, union or orientation"),
            N_("People are chosen by what nobody may be chosen by for a political message: %(parts)s."),
            N_(
                "Choose them by something else: not even consent allows this. If the word means a subject,"
                " and nothing of the person, go past this check and say so."
            ),
        ),
        "ad.nobody": LintWords(
            N_("Among the chosen there are people who agreed to be"),
            N_("The campaign chooses people by their data, and nobody it would reach agreed to that."),
            N_("Ask for that consent and import it, or write the same message to the whole list."),
        ),
        "ad.consent": LintWords(
            N_("Everybody who is chosen by their data agreed to that, and is old enough"),
            N_(
                "People left out because they did not agree to be chosen by their data, or are under 17:"
                " %(people)s."
            ),
            N_("The same message to the whole list, chosen by nothing, may go to them."),
        ),
        "ad.exempt": LintWords(
            N_("The same message to the whole list: no consent to targeting is needed (article 18(3))"),
            "",
        ),
        "ad.unlabelled": LintWords(
            N_("The label of political advertising says who pays, or which vote it is about"),
            N_("The label of political advertising has gaps: neither who pays nor the vote is named."),
            N_("Name them in the campaign; where there is no vote, naming who pays is enough."),
        ),
        "ad.unlinked": LintWords(
            N_("The text message leads to its transparency notice"),
            N_("The text message does not lead to its transparency notice, and has no label of its own."),
            N_("Write {{ notice_url }} into it: the notice says who pays, for which vote and to whom."),
        ),
    }
)
"""Code → words."""
