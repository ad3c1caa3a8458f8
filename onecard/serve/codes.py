"""What a caller is told: the closed list of codes, each with what the caller should do.

docs/asking.md has the same table, and the OpenAPI document the same texts; a test compares them.
"""

from __future__ import annotations

from onecard.daemon import codes as shared
from onecard.daemon.codes import Code

OUT_OF_TIME = shared.OUT_OF_TIME
REPLAYED = shared.REPLAYED
FAILED_TOO_OFTEN = shared.FAILED_TOO_OFTEN
NO_SUCH_PATH = shared.NO_SUCH_PATH
HEADERS = shared.HEADERS
ANSWERED = Code(
    "00", 200, "已答复", "answered", "核对签名后使用", "verify the signature, then use it"
)
NOT_PROVED = Code(
    "40",
    401,
    "未能证明调用方身份",
    "not proved: unknown sid, wrong signature, or headers that are missing, doubled or malformed",
    "核对密钥、sid、前缀、算法、路径与报文字节",
    "check key, sid, prefix, algorithm, path and the bytes of the body",
)
BODY = Code(
    "43",
    413,
    "报文过大、被压缩或未说明长度",
    "the body is too large, compressed, or its length is not said",
    "报文不超过 4 KiB，不压缩，给出 Content-Length",
    "send at most 4 KiB, not compressed, with Content-Length",
)
NO_SUCH_METHOD = Code("47", 405, "没有这个方法", "no such method", "用 POST", "use POST")
UNAVAILABLE = Code(
    "50",
    503,
    "暂不能答复，未留任何答复",
    "cannot be answered now; nothing was answered",
    "稍后以同一 request_id 和同一报文重发",
    "repeat it later, with the same request_id and the same body",
    1,
)
STOPPED = Code(
    "60",
    403,
    "对该部门的提供已停止",
    "everything for this agency is stopped",
    "等待大数据局通知",
    "wait for word of the bureau",
)
NO_AGREEMENT = Code(
    "61",
    403,
    "调用方没有这一有效协议",
    "the caller has no such agreement in force",
    "核对协议编号、批准与有效期",
    "check the agreement's id, approval and validity",
)
MODE = Code(
    "62",
    403,
    "协议不是这种方式",
    "the agreement is not of this mode",
    "查询用 query，核验用 verify",
    "use query or verify as the agreement says",
)
MALFORMED = Code(
    "63",
    400,
    "报文格式不对",
    "the body is not as described: JSON, members, types, or a form of one of them",
    "按 OpenAPI 文档组织报文",
    "make it as the OpenAPI document says",
)
PURPOSE = Code(
    "64",
    403,
    "目的与协议不符",
    "the purpose is not the agreement's",
    "只为协议载明的目的查询",
    "ask for the agreement's purpose only",
)
CASE = Code(
    "65",
    400,
    "办件编号格式不对",
    "the case number is not of the agreed form",
    "填写真实的办件编号",
    "give the number of the case",
)
QUOTA_OPERATOR = Code(
    "66",
    429,
    "该经办人的调用已达上限",
    "this operator has used up the quota",
    "等到下一小时或次日",
    "wait for the next hour or day",
)
QUOTA_CALLER = Code(
    "67",
    429,
    "该系统的调用已达上限",
    "this system has used up the quota",
    "等到下一小时或次日",
    "wait for the next hour or day",
)
QUOTA_AGREEMENT = Code(
    "68",
    429,
    "该协议的调用已达上限",
    "the agreement's quota is used up",
    "等到下一小时或次日",
    "wait for the next hour or day",
)
QUOTA_PERSON = Code(
    "69",
    429,
    "就同一人的调用已达上限",
    "this person was asked for too often",
    "核对业务是否需要，等到下一小时或次日",
    "see whether the case needs it; wait for the next hour or day",
)
CONFLICT = Code(
    "70",
    409,
    "request_id 已用于另一报文",
    "this request_id was taken with another body",
    "新的请求用新的 request_id",
    "use a new request_id for a new request",
)
CHANGED = Code(
    "71",
    409,
    "重发的请求：已过一日，或依据、数据已变，不再给同一答复",
    "a repetition after a day, or the decision or the data has changed: it is not answered again",
    "以新的 request_id 重新查询",
    "ask anew, with a new request_id",
)
BLOCKED = Code(
    "72",
    403,
    "隐私规则不允许答复",
    "a privacy rule does not let this agreement be answered now",
    "联系大数据局",
    "ask the bureau",
)
SUSPENDED = Code(
    "73",
    403,
    "该经办人因疑似违规查询被暂停",
    "this operator is suspended: calls that look like misuse",
    "到期自动恢复；提前解除由本部门联系大数据局",
    "wait until it ends; the caller's agency may ask the bureau to lift it",
)

CODES = (
    ANSWERED,
    NOT_PROVED,
    OUT_OF_TIME,
    REPLAYED,
    BODY,
    FAILED_TOO_OFTEN,
    NO_SUCH_PATH,
    NO_SUCH_METHOD,
    HEADERS,
    UNAVAILABLE,
    STOPPED,
    NO_AGREEMENT,
    MODE,
    MALFORMED,
    PURPOSE,
    CASE,
    QUOTA_OPERATOR,
    QUOTA_CALLER,
    QUOTA_AGREEMENT,
    QUOTA_PERSON,
    CONFLICT,
    CHANGED,
    BLOCKED,
    SUSPENDED,
)
"""The closed list, by number."""
