"""The OpenAPI 3.1 document of the service: of the agreements, forms and codes that there are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from onecard import __version__
from onecard.serve.calls import (
    FORMS,
    ID_FORM,
    ID_NUMBER,
    LONGEST_VALUE,
    MOST_BODY_BYTES,
    PERSON,
    VALUES,
)
from onecard.serve.codes import CODES
from onecard.serve.residents import REQUEST_ID
from schemas.models.agreement import Agreement

Schema = dict[str, Any]
MEMBERS = {
    "request_id": "请求编号，重发时不变 · id of the request, the same when it is repeated",
    "operator": "经办人编号 · who asks, at the caller",
    "purpose": "协议载明的目的 · the agreement's purpose",
    "case": "办件编号 · number of the case that it is asked for",
}
"""What the texts of a body are."""
OUTCOMES = (
    "answered：已答复；none：查无此人、不在范围内或依法不提供，三者同一答复"
    " · answered; none: no such person, outside the scope, or nothing may be said: one answer"
)
WRITTEN = r"^[^\u0000-\u001f]*$"
"""Of a value: no control characters."""
MATCHES = ("match", "no_match", "undecidable")


def document(agreements: Iterable[Agreement]) -> Schema:
    """The whole document.

    Args:
        agreements: under which persons may be asked for.
    """
    paths = {f"/v1/{a.id}/{a.mode}": {"post": _operation(a)} for a in agreements}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "一卡通单人查询与核验服务 · One-Card query and verify service",
            "version": __version__,
            "description": (
                "一次一人，须签名，先留痕后答复；签名方法与示例见 docs/asking.md。"
                " One person a call, signed, on record before it is answered."
                f" A body has at most {MOST_BODY_BYTES} bytes."
            ),
        },
        "paths": {**paths, "/v1/disclosures": {"post": _disclosures()}},
        "components": {
            "schemas": {"Refusal": _refusal(), "Proof": _proof()},
            "securitySchemes": _signature(),
        },
        "security": [{name: [] for name in ("sid", "rid", "rtime", "sign")}],
    }


def _operation(agreement: Agreement) -> Schema:
    return {
        "operationId": f"{agreement.id}-{agreement.mode}",
        "summary": agreement.title,
        "description": (
            f"{agreement.basis.statute} {agreement.basis.article}；目的 purpose {agreement.purpose}"
        ),
        "requestBody": _body(question(agreement)),
        "responses": {"200": _response("已答复 · answered", _answer(agreement)), **_refusals()},
    }


def question(agreement: Agreement) -> Schema:
    """What the body of a call under an agreement is."""
    asking = agreement.asking
    texts: dict[str, Schema] = {
        name: {"type": "string", "pattern": f"^{form}$", "description": MEMBERS[name]}
        for name, form in FORMS.items()
    }
    texts["purpose"] = {"const": agreement.purpose, "description": MEMBERS["purpose"]}
    if asking is not None:
        texts["case"] |= {"pattern": f"^(?:{asking.case})$", "examples": [asking.example]}
    value = {"type": "string", "minLength": 1, "maxLength": LONGEST_VALUE, "pattern": WRITTEN}
    given = {path.rpartition(".")[2]: value for path in (asking.by if asking else ())}
    number = {
        "type": "string",
        "pattern": f"^{ID_FORM}$",
        "description": "公民身份号码，GB 11643，18 位半角 · ID number, 18 characters, half width",
    }
    members = {**texts, PERSON: _object({ID_NUMBER: number, **given})}
    if agreement.mode == "verify":
        members[VALUES] = _object(dict.fromkeys(agreement.names, value))
    return _object(members)


def _answer(agreement: Agreement) -> Schema:
    value: Schema = {"type": ["string", "integer", "boolean", "null"]}
    if agreement.mode == "verify":
        value = {"enum": list(MATCHES)}
    fields = {"type": "object", "properties": dict.fromkeys(agreement.names, value)}
    result = _object(
        {
            "fields": {**fields, "additionalProperties": False},
            "outcome": {"enum": ["answered", "none"], "description": OUTCOMES},
            "sequence": {"type": ["integer", "null"]},
        }
    )
    return {
        "allOf": [{"$ref": "#/components/schemas/Proof"}],
        "type": "object",
        "properties": {"code": {"const": "00"}, "result": result},
        "required": ["code", "result"],
    }


def _disclosures() -> Schema:
    number = {"type": "string", "pattern": f"^{ID_FORM}$"}
    texts = ("at", "agency", "agreement", "kind", "status", "purpose", "basis")
    entry: Schema = {name: {"type": "string"} for name in texts}
    entry["fields"] = {"type": "array", "items": {"type": "string"}}
    asked = _object(
        {REQUEST_ID: {"type": "string", "pattern": f"^{FORMS[REQUEST_ID]}$"}, ID_NUMBER: number}
    )
    answer = _object(
        {"code": {"const": "00"}, "entries": {"type": "array", "items": _object(entry)}}
    )
    return {
        "operationId": "disclosures",
        "summary": "本人信息的去向 · what became of a resident's data",
        "description": "限本市统一服务平台，居民已在该平台核验身份 · for the city's own app",
        "requestBody": _body(asked),
        "responses": {"200": _response("已答复 · answered", answer), **_refusals()},
    }


def _refusals() -> Schema:
    """A response for each status, with the codes that it can have."""
    by_status: Mapping[int, list[str]] = defaultdict(list)
    for code in CODES:
        if code.status != 200:
            by_status[code.status].append(f"{code.code} {code.zh} · {code.en}")
    reference = {"$ref": "#/components/schemas/Refusal"}
    return {
        str(status): _response("；\n".join(texts), reference)
        for status, texts in sorted(by_status.items())
    }


def _refusal() -> Schema:
    listed = "；\n".join(f"{c.code}：{c.do_zh} · {c.do_en}" for c in CODES if c.status != 200)
    codes = [c.code for c in CODES if c.status != 200]
    return _object({"code": {"enum": codes, "description": listed}})


def _proof() -> Schema:
    text = {"type": "string"}
    path = {"type": "array", "items": text}
    number = {"type": "integer"}
    return {
        "description": "答复的证明，docs/verify_answer.py 可离线核验 · checked offline",
        "type": "object",
        "properties": {
            "receipt": text,
            "salt": text,
            "statement": text,
            "proof": _object({"index": number, "path": path, "size": number}),
            "signature": _object({"suite": text, "epoch": text, "value": text}),
        },
        "required": ["receipt", "salt", "statement", "proof", "signature"],
    }


def _signature() -> Schema:
    said = {
        "sid": "调用方编号 · who calls",
        "rid": "每次调用的新编号 · new for every call",
        "rtime": "毫秒时间，13 位 · milliseconds since 1970, 13 digits",
        "sign": "Base64(HMAC(appKey, sid+rid+rtime+LF+path+LF+hex(hash(body))))",
    }
    return {
        name: {"type": "apiKey", "in": "header", "name": f"gjgxjhpt_{name}", "description": text}
        for name, text in said.items()
    }


def _object(members: Mapping[str, Any]) -> Schema:
    return {
        "type": "object",
        "properties": dict(members),
        "required": list(members),
        "additionalProperties": False,
    }


def _body(schema: Schema) -> Schema:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _response(text: str, schema: Schema) -> Schema:
    return {"description": text, "content": {"application/json": {"schema": schema}}}
