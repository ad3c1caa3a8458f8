"""What a change of an agreement would let flow, in words that a steward reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from onecard.model.gate_inputs import GateInputs
from schemas.models.agreement import Agreement
from schemas.models.contract import Contract, Field

TREATMENTS = {
    "as_is": "原值",
    "mask": "掩码",
    "token": "令牌",
    "year": "只到年",
    "month": "只到月",
    "day": "只到日",
    "hour": "只到小时",
    "county": "只到区县",
    "yuan": "折算为元",
}
PII = {"DI": "直接标识符", "QI": "准标识符", "PI": "个人信息", "NONE": "非个人信息"}
SENSITIVE = {
    "BIO": "生物识别",
    "REL": "宗教信仰",
    "SPC": "特定身份",
    "MED": "医疗健康",
    "FIN": "金融账户",
    "LOC": "行踪轨迹",
}
PARTS = {
    "dataset": "数据资源",
    "consumer": "接收方",
    "purpose": "目的",
    "mode": "提供方式",
    "basis": "合法性基础",
    "scope": "行范围",
    "joins": "关联资源",
    "first_by": "同一键取哪一行",
    "statistics": "统计口径",
    "validity": "有效期",
    "retention": "保留期限",
    "delivery": "送达方式",
    "consent": "同意核验",
    "child_rules": "未成年人规则",
    "after_death": "死亡或注销后",
    "credit": "信用领域",
    "approvers": "批准人数",
    "version": "版本",
    "title": "名称",
    "served": "实际提供",
    "responsible": "责任人",
    "subject": "当事人身份证号字段",
    "project": "应用项目",
    "assessment": "个人信息保护影响评估",
    "notice": "告知书",
    "entrustment": "委托处理合同",
    "grade": "可识别程度评级",
    "unusual_factor": "异常数量倍数",
    "key": "主键",
    "order": "排列次序",
    "freshness": "时效要求",
    "asking": "查询条件与限额",
}
"""All parts of an agreement but its id and its fields; those that decide what flows come first."""


def differences(
    approved: Mapping[str, Any] | None, agreement: Agreement, contracts: Mapping[str, Contract]
) -> list[str]:
    """What would newly flow, no longer flow or flow otherwise; empty when nothing changes.

    Args:
        approved: content of the last approved text; None when there was none.
        agreement: as it stands in its file.
        contracts: of the datasets that it reads.
    """
    now: dict[str, Any] = agreement.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    behind = GateInputs(agreement, contracts).fields
    if approved is None:
        return [f"新增流出：{_field(f, behind.get(f['name']))}" for f in now["fields"]]
    before = {f["name"]: f for f in approved.get("fields", [])}
    after = {f["name"]: f for f in now["fields"]}
    return [*_fields(before, after, behind), *_parts(approved, now)]


def _fields(
    before: Mapping[str, Any], after: Mapping[str, Any], behind: Mapping[str, Field]
) -> Iterator[str]:
    for name, shared in after.items():
        old = before.get(name)
        if old is None:
            yield f"新增流出：{_field(shared, behind.get(name))}"
        elif old != shared:
            yield f"改变流出：{_field(shared, behind.get(name))}（原为{_treatment(old)}）"
    yield from (f"不再流出：{name}" for name in before if name not in after)


def _parts(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    unknown = sorted({*before, *after} - {*PARTS, "id", "fields"})  # of an older model
    for part in (*PARTS, *unknown):
        if before.get(part) != after.get(part):
            title = PARTS.get(part, part)
            yield f"{title}改变：{_short(before.get(part))} → {_short(after.get(part))}"


def _field(shared: Mapping[str, Any], field: Field | None) -> str:
    if field is None:
        return f"{shared['name']}（固定值或计数）"
    kind = PII[field.pii] + (f"，敏感：{SENSITIVE[field.spi]}" if field.spi else "")
    return f"{field.title}（{shared['name']}，{field.level}，{kind}），{_treatment(shared)}"


def _treatment(shared: Mapping[str, Any]) -> str:
    return TREATMENTS[str(shared.get("treatment", "as_is"))]


def _short(value: object) -> str:
    if value is None:
        return "无"
    if isinstance(value, Mapping):
        return "，".join(f"{k}={_short(v)}" for k, v in value.items())
    if isinstance(value, list):
        return "；".join(_short(v) for v in value) or "无"
    return str(value)
