"""Chinese titles of the gate's built-in rules; a contract's own rules carry their titles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from schemas.models import semantic
from schemas.models.catalogue import Catalogue

BUILT_IN = {
    "required": "必填项为空",
    "type": "不能解析为约定类型",
    "scale": "小数位数或整数位数超限",
    "max_length": "超过最大长度",
    "text.control": "含控制字符或替换字符",
    "text.blanks": "首尾有空白",
    "text.trimmed": "首尾空白已按契约去除",
    "text.null_word": "疑似以文字表示空值",
    "codes": "不在代码表内",
    "record.cells": "记录的列数不符",
    "record.encoding": "记录的编码不符",
    "record.json": "记录不是合法的 JSON 行",
    "record.header": "数据中间重复出现表头",
    "record.boolean": "主键是布尔值",
    "record.xml": "记录不是合法的 XML 行",
    "record.merged": "数据行中有合并单元格",
    "cell.rounded": "数字超过 15 位，末位已被电子表格舍入",
    "cell.formula": "单元格是公式，没有可取用的结果",
    "cell.error": "单元格是错误值或不存在的日期",
    "cell.percent": "单元格是百分数，契约未写明取法",
    "file.total": "文件行数与表头所写合计不符",
    "manifest.rows": "文件行数与清单不符",
    "manifest.digest": "文件摘要与清单不符",
    "manifest.time": "清单未写明时间",
    "order.tie": "同一主键多行而先后不明",
    "order.older": "早于已发布的行",
    "order.returned": "已删除的行以更早的版本重现",
    "order.gap": "卡内序号不连续且来源未补",
}
ASPECTS = {
    "format": "格式不符",
    "checksum": "校验码错误",
    "rounded": "末位被电子表格舍入",
    "birth_date": "出生日期不可能",
    "division": "行政区划不可用",
    "luhn": "Luhn 校验错误",
}

ENGLISH: Mapping[str, str] = {
    "required": "a required field is empty",
    "type": "cannot be read as its type",
    "scale": "too many digits before or behind the point",
    "max_length": "too long",
    "text.control": "holds control or replacement characters",
    "text.blanks": "begins or ends with a blank",
    "text.trimmed": "blanks around it were taken off as the contract says",
    "text.null_word": "a word that may stand for no value",
    "codes": "not in its code list",
    "record.cells": "the record has another number of columns",
    "record.encoding": "the record is in another encoding",
    "record.json": "the record is no JSON line",
    "record.header": "a header stands among the rows",
    "record.boolean": "the key is true or false",
    "record.xml": "the record is no XML row",
    "record.merged": "merged cells among the rows",
    "cell.rounded": "more than 15 digits, rounded by a spreadsheet",
    "cell.formula": "a formula without a value",
    "cell.error": "an error, or a day that does not exist",
    "cell.percent": "a percentage where the contract does not say how to take it",
    "file.total": "the rows are not as many as the header says",
    "manifest.rows": "the rows are not as many as the manifest says",
    "manifest.digest": "the file is not the one of the manifest",
    "manifest.time": "the manifest says no time",
    "order.tie": "several rows of one key, and nothing says which is newer",
    "order.older": "older than what is published",
    "order.returned": "a deleted row comes back as an older version",
    "order.gap": "numbers of a card's events are missing at the source",
}
ASPECTS_IN_ENGLISH: Mapping[str, str] = {
    "format": "wrong form",
    "checksum": "wrong check character",
    "rounded": "last digits rounded by a spreadsheet",
    "birth_date": "impossible date of birth",
    "division": "a division that cannot be used",
    "luhn": "wrong by the Luhn check",
}


def title(rule: str, language: Literal["zh", "en"] = "zh") -> str:
    """The rule's title, e.g. `公民身份号码：校验码错误`; an unknown id is its own title.

    Args:
        rule: its id.
        language: of the title.
    """
    english = language == "en"
    known = ENGLISH if english else BUILT_IN
    if rule in known:
        return known[rule]
    kind, _, aspect = rule.rpartition(".")
    types = semantic.load().types
    if kind in types and aspect in ASPECTS:
        if english:
            return f"{kind.replace('_', ' ')}: {ASPECTS_IN_ENGLISH[aspect]}"
        return f"{types[kind].title}：{ASPECTS[aspect]}"
    return rule


def finding_title(known: Catalogue, dataset: str, name: str, language: Literal["zh", "en"]) -> str:
    """Title of a dataset-level expectation; in English its name.

    Args:
        known: all contracts.
        dataset: its id.
        name: of the expectation.
        language: `zh` or `en`.
    """
    if language == "en":
        return name
    titles = {e.name: e.title for e in known.contract(dataset).expectations}
    return titles.get(name, "主键唯一" if name == "key_unique" else name)
