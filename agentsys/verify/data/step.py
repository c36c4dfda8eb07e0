"""The step of a run that has its planned data fetched: after the plan, before any code."""

from __future__ import annotations

from collections.abc import Callable

from agentsys.audit.record import record_decision
from agentsys.core.artifacts import Plan
from agentsys.core.events import EventLog
from agentsys.plan.context import Context
from agentsys.verify.data.fetch import Offer
from agentsys.verify.data.planned import fetcher_for, get_data, why_not


async def have_planned(context: Context, plan: Plan) -> str:
    """Fetch what settings, policy and a person allow; say what the full profile lacks. The run goes on without it.

    Raises: UsageError, BlockedError (a folder of the user's that is none, or holds other data than is pinned).
    """
    ws = context.ws
    fetcher = fetcher_for(ws.run, context.settings, context.policy.set.hosts.data, _progress(context.events))

    def judge(offer: Offer) -> str:
        decision = context.policy.check_data(offer.source.label, offer.addresses)
        record_decision(context, decision, "data")
        return why_not(decision)

    got = await get_data(ws.run, plan, context.settings, fetcher, judge, context.ask)
    states = {source.name: got.state.held(source.name) for source in plan.data}
    for source in plan.data:
        held = states[source.name]
        if held.state == "absent":
            stands = f"; until then: {source.stand_in}" if source.stand_in else ""
            words = f"the full profile needs `{source.name}` ({source.label}), which is not here: {held.why}{stands}"
            context.events.emit("warning", stage="data", message=words)
    ws.mark({"data": ws.data_inputs(plan)})
    here = [name for name, held in states.items() if held.state != "absent"]
    absent = [name for name, held in states.items() if held.state == "absent"]
    return "data: " + "; ".join(
        f"{word} {', '.join(names)}" for word, names in (("here", here), ("not here", absent)) if names
    )


def _progress(events: EventLog) -> Callable[[str, str], None]:
    last: dict[str, str] = {}

    def said(name: str, words: str) -> None:
        if last.get(name) != words:
            last[name] = words
            events.emit("check.progress", stage="data", check="data", text=f"{name}: {words}")

    return said
