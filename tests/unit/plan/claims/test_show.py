"""The printed list: what stands in it, and that no text of a paper or a model reaches the terminal as it is."""

from __future__ import annotations

from agentsys.plan.claims.claim import Claim, Claims, Contradiction, Correction, LeftOut, Quote, Target
from agentsys.plan.claims.show import lines

EVIL = "evil \x1b[31m\u202e\ntext"
QUOTE = Quote(place=EVIL, words=EVIL, page=3)
CLAIM = Claim(
    id="C1",
    text=EVIL,
    kind="number",
    headline=True,
    places=(QUOTE,),
    targets=(Target(quantity=EVIL, value=69.86, unit=EVIL, spread=0.35, where=EVIL),),
    assumptions=(QUOTE,),
    corrections=(Correction(what="number", said=EVIL, paper=EVIL, where=EVIL),),
    contradictions=(Contradiction(what=EVIL, first=QUOTE, second=QUOTE),),
    doubts=(EVIL,),
    given=f"{EVIL} as given",
)
FOUND = Claims(
    paper="0" * 64,
    title=EVIL,
    claims=(CLAIM, Claim(id="C2", text="It needs no memory.", kind="qualitative", given="It needs no memory.")),
    unfounded=(CLAIM,),
    left_out=(LeftOut(number=EVIL, words=EVIL, why=EVIL), LeftOut(number="11", words="on 11 data sets")),
    examined=7,
    dropped=1,
)


def test_every_line_is_one_harmless_line() -> None:
    for line in lines(FOUND):
        assert line.isprintable()


def test_the_list_says_what_was_corrected_contradicted_and_not_found() -> None:
    text = "\n".join(lines(FOUND))
    assert "1 corrected, 1 contradicted elsewhere in the paper, 1 not found in it" in text
    assert "C2 (qualitative, NOT FOUND in the paper)" in text
    assert "= 69.86 ± 0.35 evil text (evil text): evil text" in text
    assert "evil text, p. 3: “evil text”" in text
    assert "11 of the abstract (“on 11 data sets”): no reason given" in text
    assert "1 contradiction of the model dropped" in text
