"""How a datagram's text is read: rows asked of systemd 252 itself (`systemctl show` after each), beyond the recorded matrix."""

import pytest

from supervisor.daemon.notifymessage import SIZE_MAX_BYTES, parse

UNDERSTOOD: dict[bytes, dict[str, str]] = {
    b"STATUS=one\rSTATUS=two\rX=1": {"STATUS": "one", "X": "1"},
    b"READY=1\r\nSTATUS=crlf": {"READY": "1", "STATUS": "crlf"},
    b"STATUS=x\n\n\nSTATUS=y": {"STATUS": "x"},
    b"STATUS=a\\b\\\\c": {"STATUS": "ab\\c"},
    b"STATUS=a\\nb": {"STATUS": "anb"},
    b"STATUS=a\\\nb": {"STATUS": "a\nb"},
    b'STATUS=\'q "r"': {"STATUS": '\'q "r"'},
    b"STATUS=end\\": {},
    b"STATUS=": {"STATUS": ""},
    b" STATUS=lead": {" STATUS": "lead"},
    b"ready=1": {"ready": "1"},
    b"": {},
    b"READY=1\nRELOADING=1": {"RELOADING": "1"},
    b"RELOADING=1\nSTOPPING=1\nREADY=1": {"RELOADING": "1", "READY": "1"},
    b"STOPPING=1\nREADY=1": {"READY": "1"},
    b"RELOADING=0\nREADY=1\nREADY=0": {"READY": "1"},
    b"ERRNO=ENOENT": {"ERRNO": "2"},
    b"ERRNO=0x10": {"ERRNO": "16"},
    b"ERRNO=-5": {},
    b"MAINPID=+17": {"MAINPID": "17"},
    b"MAINPID= 17": {"MAINPID": "17"},
    b"MAINPID=021": {"MAINPID": "17"},
    b"MAINPID=17 ": {},
    b"MAINPID=17x": {},
    b"MAINPID=-1": {},
    b"WATCHDOG_USEC=5s": {},
    b"WATCHDOG_USEC=0x10000000": {"WATCHDOG_USEC": "268435456"},
    b"EXTEND_TIMEOUT_USEC=99999999999999999999": {},
    b"FDSTORE=1\nFDNAME=a:b": {"FDSTORE": "1"},
    b"FDSTORE=1\nFDNAME=good name": {"FDSTORE": "1", "FDNAME": "good name"},
    b"STATUS=" + b"z" * (SIZE_MAX_BYTES - 7): {"STATUS": "z" * (SIZE_MAX_BYTES - 7)},
    b"STATUS=" + b"z" * (SIZE_MAX_BYTES - 6): {},
}


def test_what_was_said_last_of_the_three_comes_last_also_where_a_whole_reload_is_told_of_at_once() -> None:
    # systemd 253 and later: RELOADING=1, MONOTONIC_USEC= and READY=1 in one message end the reload of a service of type notify-reload.
    assert list(parse(b"READY=0\nRELOADING=1\nMONOTONIC_USEC=7\nREADY=1").fields) == ["MONOTONIC_USEC", "RELOADING", "READY"]


@pytest.mark.parametrize("raw", UNDERSTOOD, ids=lambda raw: repr(raw[:40]))
def test_message(raw: bytes) -> None:
    message = parse(raw)
    assert message.fields == UNDERSTOOD[raw]
    assert not message.is_barrier


@pytest.mark.parametrize("raw", [b"BARRIER=1", b"BARRIER=1\n", b"READY=1\nBARRIER=1"])
def test_a_message_with_a_barrier_line_is_nothing_else(raw: bytes) -> None:
    message = parse(raw)
    assert message.is_barrier and message.fields == {}


@pytest.mark.parametrize("raw", [b"BARRIER=0", b"BARRIER=11", b"XBARRIER=1"])
def test_only_the_exact_line_is_a_barrier(raw: bytes) -> None:
    assert not parse(raw).is_barrier


@pytest.mark.parametrize("raw", [raw for raw, fields in UNDERSTOOD.items() if not fields and raw], ids=lambda raw: repr(raw[:40]))
def test_what_is_left_out_is_said(raw: bytes) -> None:
    assert parse(raw).notes
