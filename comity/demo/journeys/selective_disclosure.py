"""(a) A BC Person credential by offer and transaction code, shown in Ontario: only “19 or older” leaves the wallet."""

from comity.demo import cast
from comity.demo.play import Play, refusal_of
from comity.web import qr


async def run(play: Play, without_cause: bool) -> None:  # noqa: FBT001  (the one switch every journey has)
    """Play the journey; without its cause the person is too young."""
    years = 18 if without_cause else 38
    citizen = await play.citizen()
    offered = await play.desk.offer("ca-bc/services", "person/1", cast.person(cast.ELISE, years))
    link = await qr.read_async(offered.qr)
    play.expect("a.qr", expected=offered.link, seen=link)
    preview = await citizen.preview(link)
    fact = preview["credentials"][0]["trust"]
    play.expect("a.preview", expected="passed", seen=fact["may_issue"], issuer=preview["issuer"]["id"])
    wrong = "0000" if offered.transaction_code != "0000" else "1111"
    refused = await refusal_of(citizen.receive(offered, link, transaction_code=wrong))
    play.expect("a.wrong_code", expected="transaction_code_wrong", seen=refused)
    kept = await citizen.receive(offered, link)
    play.expect("a.received", expected="True", seen=str(kept[0]["recognised"]))
    counter = play.counter
    started = await counter.ask("age-alcohol", place="ca-on")
    request_link = await qr.read_async(await counter.qr(started))
    play.expect("a.request_qr", expected=started["link"], seen=request_link)
    consent = await citizen.consent(request_link)
    leaving = [claim["claim"] for each in consent["credentials"] for claim in each["leaving"]]
    play.expect("a.consent", expected="age_over_19", seen=", ".join(leaving))
    await citizen.agree(consent)
    report = await counter.result(started)
    play.judge("a.result", report, expected="accepted")
    left = [name for presented in report.get("claims", {}).values() for claims in presented for name in claims]
    play.expect("a.claims", expected="age_over_19", seen=", ".join(left))
