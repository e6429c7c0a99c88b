"""What `--redact` takes for a host or an address, and what stands for it."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logstore.keeping.addresses import addresses
from logstore.keeping.pseudonyms import Addresses, Hosts, pseudonymous


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("vip 10.0.0.12 is up", ["10.0.0.12"]),
        ("10.0.0.1:80, 10.0.0.2/24. (10.0.0.3)", ["10.0.0.1", "10.0.0.2", "10.0.0.3"]),
        ("p_vip_10.0.0.1 vip-10.0.0.2 ip=010.000.000.003", ["10.0.0.1", "10.0.0.2", "10.0.0.3"]),
        ("8.8.8.8-8.8.4.4", ["8.8.8.8", "8.8.4.4"]),
        ("10.0.0.1-5 and IP 10.0.0.2.5404 >", ["10.0.0.1", "10.0.0.2"]),
        ("openssl 1.2.3.4-5, v1.2.3.4, 1.2.3.4.5, 1.2.3, 1.2.3.4b", []),
        ("300.1.1.1 and 1.2.3.256", []),
        ("at 00:25:43 and 2026-11-22T00:25:43.539", []),
        ("00:25:43:10.0.0.1 up", ["10.0.0.1"]),
        ("mac 52:54:00:12:34:56, fd 3: :: a::b::c std::string", []),
        ("key MD5:16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48", []),
        ("fe80::1 ::1 2001:db8::8:800:200c:417a", ["fe80::1", "::1", "2001:db8::8:800:200c:417a"]),
        ("2001:db8:0:0:8:800:200c:417a", ["2001:db8::8:800:200c:417a"]),
        ("[fe80::1]:80 fe80::2%eth0", ["fe80::1", "fe80::2"]),
        ("2001:db8::3/64 FE80::4: gone", ["2001:db8::3", "fe80::4"]),
        ("addr:2001:db8::1 2001:db8:1:2:3:4:5:6:80", ["2001:db8::1", "2001:db8:1:2:3:4:5:6"]),
        ("::ffff:10.0.0.1", ["10.0.0.1"]),
    ],
)  # fmt: skip
def test_what_is_an_address(text: str, found: list[str]) -> None:
    assert [str(address) for _, _, address in addresses(text)] == found


@given(
    address=st.ip_addresses(), around=st.sampled_from(["{}", "to {}.", "({})", "[{}]:80", "a={},b", "{}/24"])
)
def test_every_address_is_found_where_it_stands(address: object, around: str) -> None:
    text = around.format(address)
    if str(address) == "::":
        return
    ((start, end, found),) = addresses(text)
    assert text[start:end] == str(address)
    assert found in (address, getattr(address, "ipv4_mapped", None))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("alfa1 is up on ALFA2", "host-1 is up on host-2"),
        ("fence-alfa1 p_alfa2_start alfa12 xalfa1", "fence-host-1 p_host-2_start alfa12 xalfa1"),
        ("alfa1.example.com, alfa1.local. alfa1.log", "host-1, host-1. host-1.log"),
        ("db.corp.example DB db.other", "host-3 host-3 host-3.other"),
        ("node-1 node-10", "host-4 host-5"),
        ("made on here.lan", "made on host-0"),
        ("hä HÄ 10.0.0.1", "host-6 host-6 10.0.0.1"),
    ],
)
def test_what_is_a_host(text: str, shown: str) -> None:
    hosts = Hosts("here")
    for name in (
        "alfa1",
        "alfa2/crond",
        "db.corp.example/redis",
        "node-1/x",
        "/var/log/x",
        "node-10",
        "hä/x",
    ):
        hosts.learn(name)
    assert hosts.text(text) == shown


def test_a_host_that_is_an_address_is_one_where_addresses_are_asked_for() -> None:
    hosts, ips = Hosts("here"), Addresses()
    for source in ("10.0.0.5/sshd", "alfa1/x"):
        hosts.learn(source)
    text = "10.0.0.5 to alfa1"
    assert pseudonymous(text, hosts, None) == "host-1 to host-2"
    assert pseudonymous(text, None, ips) == "ip-1 to alfa1"
    assert pseudonymous(text, hosts, ips) == "ip-1 to host-2"


names = st.from_regex(r"[a-zA-Z0-9ä][a-zA-Z0-9.ä-]{0,8}", fullmatch=True)


@given(known=st.lists(names, min_size=1, max_size=6), text=st.text("ab1.-_ Ä", max_size=40))
@example(known=["a.b", "a"], text="a.b a A.B")
@example(known=["ä"], text="Ä")
def test_no_host_stays_and_no_two_become_one(known: list[str], text: str) -> None:
    hosts = Hosts("zzz")
    for name in known:
        hosts.learn(f"{name}/p")
    shown = [hosts.text(name) for name in known]
    assert all(re.fullmatch(r"host-\d+", each) for each in shown)
    assert len(set(shown)) == len({name.casefold() for name in known})
    said = hosts.text(f"{text} {' '.join(known)}")
    for name in known:
        left = re.findall(rf"(?<![^\W_])(?i:{re.escape(name)})(?![^\W_])", re.sub(r"host-\d+", "", said))
        assert not left
