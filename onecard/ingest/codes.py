"""What a caller is told who brings: the closed list of codes, each with what the caller should do.

Numbers mean the same as at the other doors where they are the same. docs/bringing.md has the same
table; a test compares them.
"""

from __future__ import annotations

from onecard.daemon import codes as shared
from onecard.daemon.codes import Code
from onecard.daemon.proving import Reason

OUT_OF_TIME = shared.OUT_OF_TIME
REPLAYED = shared.REPLAYED
FAILED_TOO_OFTEN = shared.FAILED_TOO_OFTEN
NO_SUCH_PATH = shared.NO_SUCH_PATH
HEADERS = shared.HEADERS
TAKEN = Code(
    "00",
    200,
    "已完整收到并通过整体检查；各行的检查结果见答复",
    "whole, and taken as a whole; the answer says what the gate makes of its rows",
    "改正被拒绝的行，以新的上传送来",
    "mend the rejected rows and bring them in a new upload",
)
PART = Code(
    "01",
    200,
    "已收到一部分",
    "a part is taken; there is more to come",
    "从 Upload-Offset 继续",
    "go on at Upload-Offset",
)
JUDGING = Code(
    "02",
    202,
    "已完整收到，仍在检查",
    "whole, and still being checked",
    "稍后以 GET 查询结果",
    "ask for the outcome with GET, later",
    5,
)
NOT_PROVED = Code(
    "40",
    401,
    "未能证明调用方身份，或该数据集不由其提供",
    "not proved: unknown sid, wrong signature, headers that are missing, doubled or malformed, or a"
    " dataset that does not exist, is not yours or is not brought",
    "核对密钥、sid、前缀、算法、路径与所签文本",
    "check key, sid, prefix, algorithm, path and the text that is signed",
)
BODY = Code(
    "43",
    413,
    "这一部分超出所说的总长度，或被压缩",
    "the part goes beyond the length that was declared, or is compressed",
    "不压缩；核对 Upload-Length 与 Upload-Offset",
    "do not compress; check Upload-Length and Upload-Offset",
)
TOO_OFTEN = Code(
    "45",
    429,
    "调用过于频繁",
    "more than 20 calls a second",
    "用更大的部分，按 Retry-After 再来",
    "send larger parts; come again after Retry-After",
    1,
)
NO_SUCH_METHOD = Code(
    "47", 405, "没有这个方法", "no such method", "用 POST、GET 或 HEAD", "use POST, GET or HEAD"
)
UNAVAILABLE = Code(
    "50",
    503,
    "暂不能处理，已收到的部分保留",
    "not now; what was taken is kept",
    "稍后询问 Upload-Offset 并继续",
    "later ask for Upload-Offset and go on",
    1,
)
SLOW = Code(
    "51",
    408,
    "数据来得太慢，已收到的部分保留",
    "the bytes came too slowly; what was taken is kept",
    "从 Upload-Offset 继续，用更小的部分",
    "go on at Upload-Offset, in smaller parts",
)
STOPPED = Code(
    "60",
    403,
    "暂停接收该部门的上传",
    "nothing is taken from this agency now",
    "等待大数据局通知",
    "wait for word of the bureau",
)
MALFORMED = Code(
    "63",
    400,
    "Upload-Id、Upload-Offset、Upload-Length 或 Upload-Digest 缺少或格式不对",
    "Upload-Id, Upload-Offset, Upload-Length or Upload-Digest is missing or malformed",
    "按文档填写四个报文头",
    "write the four headers as described",
)
TOO_MANY = Code(
    "67",
    429,
    "一日内的上传过多",
    "too many uploads within a day",
    "合并成较大的上传，次日再来",
    "put more into one upload; come again the next day",
)
CONFLICT = Code(
    "70",
    409,
    "该 Upload-Id 已用于其他内容",
    "this Upload-Id was taken with other bytes",
    "新的内容用新的 Upload-Id",
    "use a new Upload-Id for other content",
)
IN_CLEAR = Code(
    "72",
    403,
    "来自其他机器且未经加密（规则 PR-20）",
    "it came from another machine and not through TLS (rule PR-20)",
    "使用 https",
    "use https",
)
TOO_LARGE = Code(
    "74",
    413,
    "上传超过该数据集的上限",
    "the upload is larger than this dataset's may be",
    "分成几次上传",
    "bring it in several uploads",
)
NO_ROOM = Code(
    "75",
    507,
    "暂存空间已满",
    "there is no room in the spool now",
    "等候已送来的上传入库后再来",
    "come again when what you brought is published",
    60,
)
IN_HAND = Code(
    "76",
    409,
    "同一上传正由另一调用处理",
    "another call of the same upload is in hand",
    "等它结束，再询问 Upload-Offset",
    "wait for it to end, then ask for Upload-Offset",
    1,
)
OFFSET = Code(
    "77",
    409,
    "Upload-Offset 不是已收到的长度",
    "Upload-Offset is not where the part must begin",
    "从答复的 Upload-Offset 继续",
    "go on at the Upload-Offset of the answer",
)
NO_SUCH_UPLOAD = Code(
    "78",
    404,
    "没有这个上传",
    "no such upload of this dataset",
    "核对编号；从头上传",
    "check the id; begin it at 0",
)
DIGEST = Code(
    "79",
    422,
    "收到的内容与 Upload-Digest 不符，已丢弃",
    "what came is not what Upload-Digest says; it is dropped",
    "以同一编号从 0 重新上传",
    "begin again at 0, with the same id",
)
NOT_READABLE = Code(
    "80",
    422,
    "无法按约定的格式读取，整体不收",
    "it cannot be read as the contract says; none of it is taken",
    "按答复改正文件，以新的 Upload-Id 上传",
    "mend the file as the answer says, and bring it under a new Upload-Id",
)
EXPIRED = Code(
    "81",
    410,
    "等候过久，已删除",
    "it waited too long, and is gone",
    "联系大数据局；以新的 Upload-Id 上传",
    "ask the bureau; bring it under a new Upload-Id",
)

CODES = (
    TAKEN,
    PART,
    JUDGING,
    NOT_PROVED,
    OUT_OF_TIME,
    REPLAYED,
    BODY,
    FAILED_TOO_OFTEN,
    TOO_OFTEN,
    NO_SUCH_PATH,
    NO_SUCH_METHOD,
    HEADERS,
    UNAVAILABLE,
    SLOW,
    STOPPED,
    MALFORMED,
    TOO_MANY,
    CONFLICT,
    IN_CLEAR,
    TOO_LARGE,
    NO_ROOM,
    IN_HAND,
    OFFSET,
    NO_SUCH_UPLOAD,
    DIGEST,
    NOT_READABLE,
    EXPIRED,
)
"""The closed list, by number."""

UNPROVED: dict[Reason, Code] = {
    "not_proved": NOT_PROVED,
    "failed_too_often": FAILED_TOO_OFTEN,
    "out_of_time": OUT_OF_TIME,
    "replayed": REPLAYED,
    "too_often": TOO_OFTEN,
}
"""What is answered to a call that is not accepted."""
