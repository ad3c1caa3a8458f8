"""The OpenAPI 3.1 document of the door: two paths, four headers, the closed list of codes."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from onecard import __version__
from onecard.ingest import announced
from onecard.ingest.codes import CODES

Schema = dict[str, Any]
SIGNED = ("sid", "rid", "rtime", "sign")
MEANS = {
    announced.ID: "上传编号，UUID，重发时不变 · id of the upload, a UUID, the same when it goes on",
    announced.OFFSET: "本部分第一个字节的位置 · place of the part's first byte in the whole",
    announced.LENGTH: "总字节数 · bytes of the whole",
    announced.DIGEST: "全部内容的 SHA-256，小写十六进制 · SHA-256 of the whole, hexadecimal",
}
"""What the headers of a part are."""


def document() -> Schema:
    """The whole document."""
    place = [_in_path("agency"), _in_path("dataset")]
    status = {
        "summary": "已收到多少，结果如何 · how much is there, and what became of it",
        "responses": _responses(),
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "一卡通数据上传 · One-Card uploads",
            "version": __version__,
            "description": "签名方法与示例见 docs/bringing.md · signature and examples: see there",
        },
        "paths": {
            "/ingest/{agency}/{dataset}": {
                "parameters": place,
                "post": {
                    "operationId": "bring",
                    "summary": "上传的一部分 · a part of an upload",
                    "parameters": [_header(name) for name in announced.FORMS],
                    "requestBody": {"content": {"application/octet-stream": {}}},
                    "responses": _responses(),
                },
            },
            "/ingest/{agency}/{dataset}/{upload}": {
                "parameters": [*place, _in_path("upload")],
                "get": {"operationId": "ask", **status},
                "head": {"operationId": "look", **status},
            },
        },
        "components": {
            "schemas": {"Told": _answer_schema()},
            "securitySchemes": {
                name: {"type": "apiKey", "in": "header", "name": f"gjgxjhpt_{name}"}
                for name in SIGNED
            },
        },
        "security": [{name: [] for name in SIGNED}],
    }


def _in_path(name: str) -> Schema:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _header(name: str) -> Schema:
    return {
        "name": name,
        "in": "header",
        "required": True,
        "description": MEANS[name],
        "schema": {"type": "string", "pattern": f"^(?:{announced.FORMS[name].pattern})$"},
    }


def _responses() -> Schema:
    by_status: dict[int, list[str]] = defaultdict(list)
    for code in CODES:
        by_status[code.status].append(f"{code.code} {code.zh} · {code.en}")
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Told"}}}
    return {
        str(status): {"description": "；".join(said), "content": content}
        for status, said in sorted(by_status.items())
    }


def _answer_schema() -> Schema:
    number = {"type": "integer", "minimum": 0}
    return {
        "type": "object",
        "required": ["code"],
        "properties": {
            "code": {"enum": [code.code for code in CODES]},
            "upload": {"type": "string", "format": "uuid"},
            "state": {"enum": ["open", "refused", "waiting", "published", "expired"]},
            "received": number,
            "length": number,
            "transfer": number,
            "outcome": {"type": "object"},
        },
    }
