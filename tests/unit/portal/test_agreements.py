"""Agreements as texts side by side, and two people who approve one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from onecard.errors import PolicyError
from onecard.model.agreements import Life
from onecard.store import agreement_lives
from onecard.store.agreement_events import Act
from schemas.models import catalogue
from schemas.models.agreement import Agreement
from schemas.models.agreement_parts import SharedField
from tests.unit.portal.conftest import HOSTILE, NOW, WAITING, Portal
from tests.unit.portal.test_pages import csrf, text, token

ADDRESS = f"/education/agreements/{WAITING}"
KNOWN = catalogue.load()


@pytest.fixture(autouse=True)
def unapproved(portal: Portal) -> None:
    """The agreement has no life yet."""
    with portal.connect() as connection:
        connection.execute("ALTER TABLE ledger.agreement_event DISABLE TRIGGER ALL")
        connection.execute("DELETE FROM ledger.agreement_event WHERE agreement = %s", (WAITING,))
        connection.execute("ALTER TABLE ledger.agreement_event ENABLE TRIGGER ALL")


def says(portal: Portal, **update: object) -> Agreement:
    """The agreement's file says something else from now on."""
    made = KNOWN.agreement(WAITING).model_copy(update=update)
    changed = replace(KNOWN, agreements={**KNOWN.agreements, WAITING: made})
    portal.site = replace(portal.site, catalogue=lambda: changed)
    return made


def for_two(portal: Portal, **update: object) -> Agreement:
    return says(portal, **{"approvers": 2, "version": "9.0.0", **update})


def life(portal: Portal) -> Life:
    with portal.connect() as connection:
        found = portal.site.catalogue().agreement(WAITING)
        return agreement_lives.life(connection, found, NOW.date())


def approved(portal: Portal, agreement: Agreement, *people: str) -> None:
    with portal.connect() as connection:
        for who in people:
            agreement_lives.approve(connection, agreement, who, "批〔2〕号")


def sent(page: str, action: str, **more: str) -> dict[str, str]:
    """The form of the page that leads there, filled in."""
    (form,) = [f for f in re.findall(r"<form.*?</form>", page, re.DOTALL) if f"/{action}" in f]
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))
    return {**hidden, **more}


def act(portal: Portal, user: str, action: str, page: str = "", **more: str) -> Any:
    """What a user's form comes to; without a page it is the one that the user sees now."""
    client = portal.client(user)
    shown = page or client.get(ADDRESS).text
    usual = {"approve": {"document": "郑教〔2026〕9号"}, "withdraw": {"reason": "有误"}}
    written = more or usual[action]
    form = {**sent(shown, action, **written), "csrf": csrf(portal, user)}
    return client.post(f"{ADDRESS}/{action}", data=form, follow_redirects=False)


def acts(portal: Portal) -> list[tuple[object, ...]]:
    return [(kind, who) for kind, subject, who, _ in portal.audit() if subject == WAITING]


def test_two_people_approve_and_only_then_it_is_in_force(portal: Portal) -> None:
    for_two(portal)
    before = len(acts(portal))
    page = portal.client("education").get(ADDRESS).text
    assert "须由提供方两名不同的人批准" in text(page)
    assert act(portal, "education", "approve").status_code == 303
    found = life(portal)
    assert (found.state, found.approval) == ("draft", None)
    assert found.first is not None
    assert (found.first.actor, found.first.document) == ("education", "郑教〔2026〕9号")
    page = portal.client("both").get(ADDRESS).text
    assert "education 已于" in text(page)
    assert "第二次批准" in text(page)
    assert "首次批准（待另一人）" in text(portal.client("both").get("/").text)
    assert act(portal, "both", "approve").status_code == 303
    found = life(portal)
    assert (found.state, found.first) == ("in_force", None)
    assert found.approval is not None
    assert found.approval.actor == "both"
    assert acts(portal)[before:] == [
        ("agreement.endorsed", "education"),
        ("agreement.approved", "both"),
    ]


def test_who_gave_the_first_approval_cannot_give_the_second(portal: Portal) -> None:
    agreement = for_two(portal)
    assert act(portal, "education", "approve").status_code == 303
    page = portal.client("education").get(ADDRESS).text
    assert "第二次须由另一人批准" in page
    assert 'name="document"' not in page
    first = life(portal).first
    assert first is not None
    form = {
        "csrf": csrf(portal, "education"),
        "fingerprint": agreement.fingerprint,
        "first": str(first.id),
        "document": "又一次",
    }
    refused = portal.client("education").post(f"{ADDRESS}/approve", data=form)
    assert refused.status_code == 403
    assert "第二次须由另一人批准" in refused.text
    with portal.connect() as connection, pytest.raises(PolicyError, match="the second is another"):
        agreement_lives.approve(connection, agreement, " Ｅducation", "又一次")
    assert life(portal).approval is None


def test_a_text_that_changes_between_starts_over(portal: Portal) -> None:
    for_two(portal)
    stale = portal.client("both").get(ADDRESS).text
    act(portal, "education", "approve")
    for_two(portal, title="别的名称")
    assert act(portal, "both", "approve", stale).status_code == 409
    assert life(portal).first is None
    assert "须由提供方两名不同的人批准" in text(portal.client("both").get(ADDRESS).text)
    assert act(portal, "both", "approve").status_code == 303
    found = life(portal)
    assert (found.state, found.approval) == ("draft", None)
    assert found.first is not None
    assert found.first.actor == "both"


def test_a_form_of_before_the_first_approval_is_not_the_second(portal: Portal) -> None:
    for_two(portal)
    stale = portal.client("both").get(ADDRESS).text
    act(portal, "education", "approve")
    refused = act(portal, "both", "approve", stale)
    assert refused.status_code == 409
    assert "批准情况在此期间已有变化" in refused.text
    assert life(portal).state == "draft"


@pytest.mark.parametrize("first", ["", "-1", "x", "9" * 19, "²"])
def test_a_form_that_does_not_say_what_was_seen_is_refused(portal: Portal, first: str) -> None:
    for_two(portal)
    page = portal.client("education").get(ADDRESS).text
    refused = act(portal, "education", "approve", page, document="文号", first=first)
    assert refused.status_code == 422
    assert life(portal).first is None


def test_a_first_approval_is_withdrawn_by_anybody_of_the_provider(portal: Portal) -> None:
    for_two(portal)
    act(portal, "education", "approve")
    stale = portal.client("both").get(ADDRESS).text
    assert act(portal, "both", "withdraw").status_code == 303
    assert life(portal).first is None
    assert acts(portal)[-1] == ("agreement.withdrawn", "both")
    assert act(portal, "both", "approve", stale).status_code == 409
    assert act(portal, "both", "withdraw", stale).status_code == 409
    assert "撤回首次批准" in text(portal.client("education").get(ADDRESS).text)
    act(portal, "education", "approve")
    assert act(portal, "both", "withdraw", stale).status_code == 409
    assert life(portal).state == "draft"


def test_neither_consumer_nor_engineer_is_one_of_the_two(portal: Portal) -> None:
    agreement = for_two(portal)
    page = portal.client("li/Admin").get(ADDRESS).text
    assert "数据工程师不能代为批准" in page
    form = {"fingerprint": agreement.fingerprint, "first": "0", "document": "文号"}
    refused = portal.client("li/Admin").post(
        f"{ADDRESS}/approve", data={**form, "csrf": csrf(portal, "li")}
    )
    assert refused.status_code == 403
    for action, more in (("approve", {}), ("withdraw", {"reason": "r"})):
        refused = portal.client("hrss").post(
            f"/hrss/agreements/{WAITING}/{action}",
            data={**form, **more, "csrf": csrf(portal, "hrss")},
        )
        assert refused.status_code == 403
        assert "只有提供方" in refused.text
    assert life(portal).first is None


def test_of_two_at_once_one_is_the_first(portal: Portal) -> None:
    agreement = for_two(portal)

    def approve(who: str) -> None:
        with portal.connect() as connection:
            agreement_lives.approve(connection, agreement, who, "文号")

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(approve, ("li", "wang")))
    with portal.connect() as connection:
        events = agreement_lives.events(connection, WAITING)
    assert [e.event for e in events] == ["endorsed", "approved"]
    assert life(portal).state == "in_force"


def test_nobody_lets_himself_off_the_second_person(portal: Portal) -> None:
    approved(portal, for_two(portal), "li", "wang")
    lower = says(portal, version="9.1.0")
    page = portal.client("education").get(ADDRESS).text
    assert "批准人数由 2 人减为 1 人" in page
    approved(portal, lower, "li")
    assert life(portal).state == "draft"
    approved(portal, lower, "wang")
    assert life(portal).state == "in_force"
    approved(portal, says(portal, version="9.2.0"), "li")
    assert life(portal).state == "in_force"


def test_a_withdrawal_says_who_and_why(portal: Portal) -> None:
    agreement = for_two(portal)
    with portal.connect() as connection:
        for nothing in (Act("", "理由"), Act("li", " ")):
            with pytest.raises(PolicyError, match="names who withdraws"):
                agreement_lives.withdraw(connection, agreement, nothing)
        with pytest.raises(PolicyError, match="no first approval"):
            agreement_lives.withdraw(connection, agreement, Act("li", "理由"))
    act(portal, "education", "approve")
    refused = act(portal, "both", "withdraw", reason="请打 13800138000")
    assert refused.status_code == 422
    assert life(portal).first is not None


# --- texts side by side


def both_sides(page: str) -> Iterator[tuple[str, str, str]]:
    """What differs: its name, as it was approved and as the file has it."""
    for inner in re.findall(r'<div class="differs">(.*?)</div>', page, re.DOTALL):
        name = re.search(r"<dt>(.*?)</dt>", inner, re.DOTALL)
        sides = re.findall(r"<dd>(.*?)</dd>", inner, re.DOTALL)
        assert name
        assert len(sides) == 2
        yield (text(name[1]), *(text(side).strip() for side in sides))


def wider(portal: Portal) -> tuple[Agreement, Agreement]:
    """An approved text, and one of the file that gives more for longer."""
    old = says(portal, version="9.0.0")
    approved(portal, old, "li")
    fields = (
        *(f.model_copy(update={"treatment": "as_is"}) for f in old.fields),
        SharedField(name="more", value="1"),
    )
    retention = type(old.retention)("P3650D")
    return old, says(portal, version="9.1.0", fields=fields, retention=retention)


def test_a_changed_text_stands_beside_the_approved_one(portal: Portal) -> None:
    wider(portal)
    page = portal.client("education").get(ADDRESS).text
    found = {name: (old, new) for name, old, new in both_sides(page)}
    assert ("版本 改变" in found) and found["版本 改变"] == ("已批准 9.0.0", "现文本 9.1.0")
    assert found["保留期限 改变"][1] == "现文本 3650 天（P3650D）"
    (added,) = [name for name in found if name.startswith("more · 固定值")]
    assert added.endswith("新增")
    assert found[added] == ("已批准 （无）", "现文本 1")
    lead = text(page.partition('id="changes"')[2].partition("<form")[0])
    assert "请先看这些要紧的变化" in lead
    assert "新增流出：more" in lead
    assert "保留期限延长：由" in lead
    assert lead.index("新增流出") < lead.index("保留期限延长")
    english = portal.client("hrss").get(f"/hrss/agreements/{WAITING}?lang=en").text
    assert "New fields leave: more" in english
    assert "more · constant added" in [name for name, _, _ in both_sides(english)]
    assert '<form method="post"' not in english


def test_the_same_text_stands_there_once(portal: Portal) -> None:
    old = says(portal, version="9.0.0")
    approved(portal, old, "li")
    page = portal.client("education").get(ADDRESS).text
    assert list(both_sides(page)) == []
    for word in (old.responsible, old.scope.title, *old.names, old.basis.statute):
        assert word in page.partition('id="text"')[2]
    assert "要紧的变化" not in page


def test_any_two_approved_texts_are_compared(portal: Portal) -> None:
    _, new = wider(portal)
    approved(portal, new, "li")
    says(portal, version="9.2.0", title="第三个名称")
    with portal.connect() as connection:
        first, second = agreement_lives.events(connection, WAITING)
    client = portal.client("hrss")
    address = f"/hrss/agreements/{WAITING}/compare"
    page = client.get(f"{address}?old={first.id}&new={second.id}").text
    names = [name for name, _, _ in both_sides(page)]
    assert "版本 改变" in names
    assert "名称 改变" not in names
    assert "新增流出：more" in page
    back = client.get(f"{address}?old={second.id}&new={first.id}").text
    assert any(name.startswith("more") and name.endswith("删去") for name, _, _ in both_sides(back))
    file = client.get(address).text
    assert ("名称 改变", f"旧 {new.title}", "新 第三个名称") in list(both_sides(file))
    same = client.get(f"{address}?old={first.id}&new={first.id}&lang=en").text
    assert "The two texts are the same." in same
    assert f'value="{first.id}" selected' in same


@pytest.mark.parametrize("number", ["1", "-1", "x", "9" * 18, "9" * 19, "²", ""])
def test_a_text_that_was_never_approved_here_is_nowhere(portal: Portal, number: str) -> None:
    """Number 1 is another agreement's."""
    wider(portal)
    for side in ("old", "new"):
        address = f"{ADDRESS}/compare?{side}={number}"
        assert portal.client("education").get(address).status_code == 404


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_texts_of_an_agreement_are_harmless(portal: Portal, hostile: str) -> None:
    old = says(portal, version="9.0.0", responsible=hostile)
    approved(portal, old, "li")
    says(portal, version="9.1.0", responsible=hostile + "2", title=hostile)
    for address in (ADDRESS, f"{ADDRESS}/compare"):
        page = portal.client("education").get(address).text
        assert "\u202e" not in page
        assert "<script" not in page
        assert "<img" not in page
        shown = hostile.replace("\u202e", "⟨U+202E⟩").replace("&", "&amp;")
        shown = shown.replace("<", "&lt;").replace(">", "&gt;").replace('"', "&#34;")
        assert f"{shown}2" in page


def test_the_token_of_a_page_is_in_each_of_its_forms(portal: Portal) -> None:
    for_two(portal)
    act(portal, "education", "approve")
    page = portal.client("both").get(ADDRESS).text
    forms = re.findall(r'<form method="post".*?</form>', page, re.DOTALL)
    assert len(forms) == 2
    assert all(token(form) for form in forms)
