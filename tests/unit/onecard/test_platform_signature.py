"""The platform's signature: who signed, when, and once."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onecard.base import platform_signature
from onecard.base.platform_signature import (
    AHEAD_MS,
    WINDOW_MS,
    Credential,
    SignatureForm,
    SignedCall,
    Verifier,
    signature,
    signed_headers,
)
from tests.waking import HEALTH, HRSS, NOW_MS, Clocks, call

BOTH = pytest.mark.parametrize("credential", [HRSS, HEALTH], ids=["sha256", "sm3"])
PRINTABLE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=64)
HEADERS = st.one_of(
    st.text(st.characters(max_codepoint=0xFF), max_size=70),
    st.sampled_from([*call(), *call().values()]),
)


def signed(credential: Credential = HRSS, rid: str = "r", at_ms: int = NOW_MS) -> SignedCall:
    read = SignedCall.of(credential.form.header_prefix, call(credential, rid, at_ms).items())
    assert read
    return read


def verifier(clocks: Clocks, most: int = 1000) -> Verifier:
    return Verifier(most, clocks.system, clocks.steady)


@pytest.mark.parametrize(
    ("algorithm", "sign"),
    [  # by `openssl dgst -hmac`
        ("sha256", "k5AaIRW6erb5njYr1pz7ILRZJYM4FcddKjegGHbnIm4="),
        ("sm3", "MlAMFYUK/2QzgECq+SvjdXxGpHKQ2PcZMpzlmDVIGG0="),
    ],
)
def test_it_is_what_openssl_makes_of_it(algorithm: str, sign: str) -> None:
    form = SignatureForm.model_validate({"algorithm": algorithm})
    assert signature(Credential("zz", b"0123456789abcdef", form), "1", "1764403200000") == sign


@BOTH
def test_what_is_signed_now_is_accepted_once(credential: Credential) -> None:
    headers = {name.upper(): value for name, value in signed_headers(credential).items()}
    read = SignedCall.of(credential.form.header_prefix, headers.items())
    assert read
    own = Verifier()
    assert [own.judge(read, credential), own.accept(read, credential)] == ["accepted"] * 2
    assert [own.judge(read, credential), own.accept(read, credential)] == ["replayed"] * 2


@BOTH
@settings(max_examples=50, deadline=None)
@given(name=st.sampled_from(["sid", "rid", "rtime", "sign"]), text=PRINTABLE, at=st.integers(0, 43))
def test_nothing_of_it_can_be_changed(
    credential: Credential, name: str, text: str, at: int
) -> None:
    right = call(credential, "some-rid", NOW_MS)
    header = credential.form.header_prefix + name
    value = right[header]
    changed = text if at % 2 else value[:at] + text[:1] + value[at + 1 :]
    read = SignedCall.of(credential.form.header_prefix, {**right, header: changed}.items())
    if changed == value:
        assert read == signed(credential, "some-rid")
    elif read is not None:
        assert verifier(Clocks()).judge(read, credential) == "forged"


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(HEADERS, HEADERS), max_size=6))
def test_any_headers_can_be_read(headers: list[tuple[str, str]]) -> None:
    assert SignedCall.of("gjgxjhpt_", headers) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"sid": ""},
        {"sid": "s" * 65},
        {"sid": "s s"},
        {"sid": "s\n"},
        {"sid": "张"},
        {"rtime": "176440320000"},
        {"rtime": "+764403200000"},
        {"rtime": "١٧٦٤٤٠٣٢٠٠٠٠٠"},
        {"sign": "A" * 44},
        {"sign": "A" * 43 + "=\n"},
    ],
)
def test_a_header_of_another_form_makes_it_no_call(changed: dict[str, str]) -> None:
    assert SignedCall.of("gjgxjhpt_", call(at_ms=NOW_MS, **changed).items()) is None


def test_a_header_that_stands_twice_makes_it_no_call() -> None:
    headers = [*call(at_ms=NOW_MS).items(), ("GJGXJHPT_SID", "other")]
    assert SignedCall.of("gjgxjhpt_", headers) is None


def test_a_digit_cannot_move_between_rid_and_rtime() -> None:
    made = call(rid="rid-7", at_ms=NOW_MS)
    sign = made["gjgxjhpt_sign"]
    for rid, rtime in (("rid-", f"7{NOW_MS}"), (f"rid-7{str(NOW_MS)[0]}", str(NOW_MS)[1:])):
        assert signature(HRSS, rid, rtime) == sign, "the signature does not see the move"
        moved = {**made, "gjgxjhpt_rid": rid, "gjgxjhpt_rtime": rtime}
        assert SignedCall.of("gjgxjhpt_", moved.items()) is None


def test_another_callers_key_is_not_right() -> None:
    own = verifier(Clocks())
    assert own.judge(signed(), Credential(HRSS.sid, b"another key")) == "forged"
    assert own.judge(signed(), Credential("other", HRSS.key)) == "forged"


@pytest.mark.parametrize(
    ("late_ms", "judgement"),
    [
        (WINDOW_MS, "accepted"),
        (WINDOW_MS + 1, "out_of_time"),
        (-AHEAD_MS, "accepted"),
        (-AHEAD_MS - 1, "out_of_time"),
    ],
)
def test_the_window_ends_where_it_says(late_ms: int, judgement: str) -> None:
    own = verifier(Clocks())
    assert own.accept(signed(at_ms=NOW_MS - late_ms), HRSS) == judgement
    assert own.judge(signed(at_ms=NOW_MS - 10 * WINDOW_MS), HEALTH) == "forged", "before its time"


@pytest.mark.parametrize("ahead_ms", [0, AHEAD_MS])
def test_an_id_is_remembered_for_as_long_as_its_time_could_pass(ahead_ms: int) -> None:
    clocks = Clocks()
    own, early = verifier(clocks), signed(at_ms=NOW_MS + ahead_ms)
    assert own.accept(early, HRSS) == "accepted"
    seen = set()
    for _ in range(40):
        clocks.go_on(10)
        seen.add(own.judge(early, HRSS))
    assert seen == {"replayed", "out_of_time"}
    assert own.accept(signed(rid="r", at_ms=clocks.ms), HRSS) == "accepted", "not for longer"


def test_a_clock_that_is_set_opens_no_old_call() -> None:
    clocks = Clocks()
    own, old = verifier(clocks), signed()
    assert own.accept(old, HRSS) == "accepted"
    clocks.go_on(11 * 60)
    clocks.ms -= 11 * 60 * 1000
    assert own.accept(old, HRSS) == "replayed", "set back"
    clocks = Clocks()
    own = verifier(clocks)
    assert own.accept(old, HRSS) == "accepted"
    clocks.ms += 11 * 60 * 1000
    assert own.accept(signed(rid="new", at_ms=clocks.ms), HRSS) == "accepted"
    clocks.ms -= 11 * 60 * 1000
    assert own.accept(old, HRSS) == "replayed", "set forward, and back"


def test_more_than_can_be_remembered_is_not_accepted() -> None:
    clocks = Clocks()
    own = verifier(clocks, most=3)
    found = [own.accept(signed(rid=str(n)), HRSS) for n in range(5)]
    assert found == ["accepted"] * 3 + ["too_many"] * 2
    assert own.accept(signed(HEALTH), HEALTH) == "accepted", "others are not concerned"
    clocks.go_on(7 * 60)
    assert own.accept(signed(rid="9", at_ms=clocks.ms), HRSS) == "accepted"


def test_what_is_not_accepted_is_not_remembered() -> None:
    own = verifier(Clocks(), most=1)
    assert own.accept(signed(rid="1"), Credential(HRSS.sid, b"another key")) == "forged"
    assert own.accept(signed(rid="1", at_ms=NOW_MS - 10**6), HRSS) == "out_of_time"
    assert own.accept(signed(rid="1"), HRSS) == "accepted"


def test_two_callers_may_have_the_same_ids() -> None:
    own = verifier(Clocks())
    assert own.accept(signed(), HRSS) == own.accept(signed(HEALTH), HEALTH) == "accepted"


def test_of_many_threads_one_is_accepted() -> None:
    own, found = verifier(Clocks()), []
    ready = threading.Barrier(8)

    def try_it() -> None:
        ready.wait()
        found.append(own.accept(signed(), HRSS))

    threads = [threading.Thread(target=try_it) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == ["accepted"] + ["replayed"] * 7


def test_the_key_is_not_shown() -> None:
    assert "key of" not in repr(HRSS)


@pytest.mark.parametrize("prefix", ["a b", "x:", "ä", "a" * 33, "a\n"])
def test_a_prefix_is_part_of_a_headers_name(prefix: str) -> None:
    with pytest.raises(ValueError, match="header_prefix"):
        SignatureForm(header_prefix=prefix)


def test_signatures_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []
    monkeypatch.setattr(
        platform_signature.hmac, "compare_digest", lambda a, b: compared.append((a, b)) or True
    )
    assert verifier(Clocks()).judge(signed(), HRSS) == "accepted"
    assert [len(a) for pair in compared for a in pair] == [44, 44]
