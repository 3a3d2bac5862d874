"""Why, or why not, in one whole sentence per language.  Sentences are never put together from pieces; only names go into them."""

from broker_config.site import Actuator, Display, Text, in_language
from server.decisions.engine import Verdict
from server.decisions.gates import Context
from server.decisions.rules import Rule

FORGOTTEN: Text = {
    "en": "Whose this was, and what it took into account of that member, has been forgotten.",
    "zh-Hant": "這是哪位會員、當時考慮了會員的哪些資料，都已遺忘。",
    "zh-Hans": "这是哪位会员、当时考虑了会员的哪些信息，都已遗忘。",
}
SENTENCES: dict[str, dict[str, str]] = {
    "shown": {
        "en": "Sent to {place}: “{text}” Reason given: {why}.",
        "zh-Hant": "已送往{place}：「{text}」，說明的理由：{why}。",
        "zh-Hans": "已发往{place}：“{text}”，说明的理由：{why}。",
    },
    "acted.on": {
        "en": "{place} was switched on. Reason: {why}.",
        "zh-Hant": "已打開{place}，理由：{why}。",
        "zh-Hans": "已打开{place}，理由：{why}。",
    },
    "acted.off": {
        "en": "{place} was switched off. Reason: {why}.",
        "zh-Hant": "已關閉{place}，理由：{why}。",
        "zh-Hans": "已关闭{place}，理由：{why}。",
    },
    "shadow": {
        "en": "Rehearsed only: every condition was met, but this rule is still on trial, so nothing happened on {place}.",
        "zh-Hant": "僅試行：所有條件都符合，但這條規則仍在試用，所以{place}沒有任何動作。",
        "zh-Hans": "仅试行：所有条件都符合，但这条规则仍在试用，所以{place}没有任何动作。",
    },
    "purpose.recognise": {
        "en": "Stayed silent: the member has not agreed to be recognised.",
        "zh-Hant": "保持安靜：會員未同意被認出。",
        "zh-Hans": "保持安静：会员未同意被认出。",
    },
    "purpose.recommend": {
        "en": "Stayed silent: the member has not agreed to recommendations.",
        "zh-Hant": "保持安靜：會員未同意接收推薦。",
        "zh-Hans": "保持安静：会员未同意接收推荐。",
    },
    "screen_class.semi": {
        "en": "Stayed silent: this is not meant for a screen that everybody sees, and {place} is one.",
        "zh-Hant": "保持安靜：這則內容不適合在人人看得到的螢幕顯示，而{place}正是這種螢幕。",
        "zh-Hans": "保持安静：这条内容不适合在人人看得到的屏幕上显示，而{place}正是这种屏幕。",
    },
    "screen_class.private": {
        "en": "Stayed silent: this is for a private screen only, and {place} is not private.",
        "zh-Hant": "保持安靜：這則內容只能在私人螢幕顯示，而{place}不是私人螢幕。",
        "zh-Hans": "保持安静：这条内容只能在私密屏幕上显示，而{place}不是私密屏幕。",
    },
    "quiet_hours": {
        "en": "Stayed silent: at {time} the member wants quiet ({window}).",
        "zh-Hant": "保持安靜：{time}屬於會員希望安靜的時段（{window}）。",
        "zh-Hans": "保持安静：{time}属于会员希望安静的时段（{window}）。",
    },
    "frequency_cap.spoken": {
        "en": "Stayed silent: another message had just been chosen for {place}.",
        "zh-Hant": "保持安靜：{place}剛選定了另一則訊息。",
        "zh-Hans": "保持安静：{place}刚选定了另一条消息。",
    },
    "frequency_cap.never": {
        "en": "Stayed silent: the member wants to be shown nothing at all.",
        "zh-Hant": "保持安靜：會員不希望看到任何訊息。",
        "zh-Hans": "保持安静：会员不希望看到任何消息。",
    },
    "frequency_cap.default": {
        "en": "Stayed silent: {shown} messages in this visit already, and {cap} is as many as we show unasked.",
        "zh-Hant": "保持安靜：這次來店已送出{shown}則訊息，而未設定時最多{cap}則。",
        "zh-Hans": "保持安静：这次来店已发出{shown}条消息，而未设置时最多{cap}条。",
    },
    "frequency_cap.own": {
        "en": "Stayed silent: {shown} messages in this visit already, and the member wants no more than {cap}.",
        "zh-Hant": "保持安靜：這次來店已送出{shown}則訊息，而會員希望最多{cap}則。",
        "zh-Hans": "保持安静：这次来店已发出{shown}条消息，而会员希望最多{cap}条。",
    },
    "interest.vetoed": {
        "en": "Stayed silent: the member has said no to this subject ({tags}).",
        "zh-Hant": "保持安靜：會員表示對這個主題沒有興趣（{tags}）。",
        "zh-Hans": "保持安静：会员表示对这个主题没有兴趣（{tags}）。",
    },
    "interest.none": {
        "en": "Stayed silent: the member has not declared an interest in this subject ({tags}).",
        "zh-Hant": "保持安靜：會員未表示對這個主題有興趣（{tags}）。",
        "zh-Hans": "保持安静：会员未表示对这个主题有兴趣（{tags}）。",
    },
}


def explain(verdict: Verdict, rule: Rule, context: Context, place: Display | Actuator) -> Text:
    """One sentence in each language.

    Args:
        place: the screen or actuator it was about.
    """
    facts = {
        name: _plain(value)
        for gate in verdict.gates
        if gate.gate == verdict.reason
        for name, value in gate.facts.items()
    }
    key = _sentence(verdict, rule)
    said: Text = {}
    for language in FORGOTTEN:
        names = {
            "place": in_language(place.name, language) or place.id,
            "why": in_language(rule.why, language),
            "text": in_language(context.content.text, language) if context.content else "",
            "tags": facts.get("vetoed") or facts.get("about", ""),
        }
        said[language] = SENTENCES[key][language].format(**(facts | names))
    return said


def _sentence(verdict: Verdict, rule: Rule) -> str:
    """The catalogue key of what happened."""
    if verdict.reason is None:
        if verdict.outcome == "acted":
            return "acted.on" if rule.actuator and rule.actuator.on else "acted.off"
        return verdict.outcome
    facts = next(gate.facts for gate in verdict.gates if gate.gate == verdict.reason)
    match verdict.reason:
        case "purpose":
            lacking = facts["lacking"]
            assert isinstance(lacking, list)
            return f"purpose.{lacking[0]}"
        case "screen_class":
            return f"screen_class.{facts['content']}"
        case "frequency_cap":
            return f"frequency_cap.{_cap_case(facts)}"
        case "interest":
            return "interest.vetoed" if facts["vetoed"] else "interest.none"
        case _:
            return verdict.reason


def _cap_case(facts: dict[str, object]) -> str:
    if facts["spoken"]:
        return "spoken"
    if facts["cap"] == 0:
        return "never"
    return "own" if facts["set_by_member"] else "default"


def _plain(value: object) -> str:
    return ", ".join(str(part) for part in value) if isinstance(value, list) else str(value)
