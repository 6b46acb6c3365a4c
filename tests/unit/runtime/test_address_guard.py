import ipaddress
from collections.abc import Sequence

import pytest

from comity.errors import Code, Unreachable
from comity.runtime.address_guard import AddressGuard, is_public, system_resolver

NOT_PUBLIC = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.127.255.254",
    "127.0.0.1",
    "127.255.255.255",
    "169.254.169.254",
    "169.254.0.1",
    "172.16.0.1",
    "172.20.1.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.170",
    "192.0.2.1",
    "192.31.196.1",
    "192.52.193.1",
    "192.88.99.1",
    "192.168.0.1",
    "192.168.255.255",
    "192.175.48.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:a9fe:a9fe",
    "::ffff:8.8.8.8",
    "::127.0.0.1",
    "::8.8.8.8",
    "64:ff9b::a00:1",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:0:1::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "3fff::1",
    "3ffe::1",
    "2620:4f:8000::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "febf::1",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
    "5f00::1",
    "4000::1",
]

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.1",
    "100.63.255.255",
    "100.128.0.1",
    "126.255.255.255",
    "128.0.0.1",
    "169.253.255.255",
    "172.15.255.255",
    "172.32.0.1",
    "192.0.1.1",
    "192.167.255.255",
    "192.169.0.1",
    "198.17.255.255",
    "198.20.0.1",
    "223.255.255.255",
    "2001:4860:4860::8888",
    "2606:4700::1111",
    "2a00::1",
    "2620:fe::fe",
    "2400::1",
    "3ffd:ffff::1",
]


@pytest.mark.parametrize("text", NOT_PUBLIC)
@pytest.mark.attack("R01")
def test_special_addresses_are_not_public(text: str) -> None:
    assert not is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
@pytest.mark.good_twin("R01")
def test_neighbours_of_special_ranges_are_public(text: str) -> None:
    assert is_public(ipaddress.ip_address(text))


def guard(*addresses: str, allow_loopback: bool = False) -> AddressGuard:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return addresses

    return AddressGuard(resolve=resolve, allow_loopback=allow_loopback)


async def test_every_address_of_a_public_name_is_handed_out_in_order() -> None:
    assert await guard("8.8.8.8", "2606:4700::1111").addresses("a.example", 443) == ("8.8.8.8", "2606:4700::1111")


@pytest.mark.parametrize("inside", ["127.0.0.1", "10.1.2.3", "::ffff:10.0.0.1", "fd00::1"])
@pytest.mark.parametrize("allow_loopback", [False, True])
@pytest.mark.attack("R03")
async def test_one_private_address_among_public_ones_refuses_the_name(inside: str, *, allow_loopback: bool) -> None:
    for addresses in ((inside,), ("8.8.8.8", inside), (inside, "8.8.8.8")):
        with pytest.raises(Unreachable) as refused:
            await guard(*addresses, allow_loopback=allow_loopback).addresses("a.example", 443)
        assert refused.value.code is Code.ADDRESS_NOT_PUBLIC


async def test_loopback_needs_the_setting_and_the_spelling() -> None:
    assert await guard("127.0.0.1", "::1", allow_loopback=True).addresses("localhost", 80) == ("127.0.0.1", "::1")
    with pytest.raises(Unreachable):
        await guard("127.0.0.1").addresses("localhost", 80)
    with pytest.raises(Unreachable):
        await guard("8.8.8.8", allow_loopback=True).addresses("localhost", 80)
    with pytest.raises(Unreachable):
        await guard("192.168.1.1", allow_loopback=True).addresses("localhost", 80)


@pytest.mark.parametrize("answer", [(), ("not an address",), ("fe80::1%x%y",)])
async def test_a_name_without_a_usable_address_is_unreachable(answer: tuple[str, ...]) -> None:
    with pytest.raises(Unreachable):
        await guard(*answer).addresses("a.example", 443)


async def test_a_failing_resolver_is_unreachable() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        raise OSError("SERVFAIL")

    with pytest.raises(Unreachable) as refused:
        await AddressGuard(resolve=resolve).addresses("a.example", 443)
    assert refused.value.code is Code.UNREACHABLE


async def test_the_system_resolver_knows_this_machine() -> None:
    assert "127.0.0.1" in await system_resolver("localhost", 80)
    with pytest.raises(OSError, match=r".+"):
        await system_resolver("nothing.invalid.", 80)
