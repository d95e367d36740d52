from ipaddress import ip_address

import pytest

from bookshelf_site.errors import InvalidValue
from bookshelf_site.webhooks.addresses import check, host_of, is_public, located

NOT_PUBLIC = [
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "127.0.0.1", "127.255.0.1", "172.16.0.1", "172.31.255.255"),
    *("192.168.0.1", "169.254.169.254", "169.254.0.1", "100.64.0.1", "100.100.100.200", "100.127.255.255"),
    *("168.63.129.16", "192.0.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.51.100.1"),
    *("203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1"),
    *("64:ff9b::808:808", "64:ff9b:1::1", "100::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1"),
    *("2001::1", "2001:0:7f00:1::", "2001:db8::1", "2001:20::1", "2002:7f00:1::", "2002:808:808::", "3fff::1"),
    *("4000::1", "5f00::1"),
]
PUBLIC = [
    *("8.8.8.8", "1.1.1.1", "93.184.216.34", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0"),
    *("172.15.255.255", "172.32.0.0", "169.253.255.255", "169.255.0.0", "192.167.255.255", "198.17.255.255"),
    *("223.255.255.255", "168.63.129.15", "2606:4700::1111", "2a00:1450::1", "2001:4860:4860::8888", "2003::1"),
]


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_what_is_not_on_the_public_internet_is_refused(address, names):
    assert not is_public(ip_address(address))

    names["hooks.test"] = [[address]]
    with pytest.raises(InvalidValue, match="not on the public internet"):
        located("https://hooks.test/")


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_on_it_is_not(address, names):
    assert is_public(ip_address(address))

    names["hooks.test"] = [[address]]
    assert located("https://hooks.test/").addresses == (address,)


@pytest.mark.parametrize(
    "url",
    [
        *("https://127.0.0.1/", "https://127.1/", "https://0x7f.1/", "https://2130706433/", "https://017700000001/"),
        *("https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://[fd00:ec2::254]/", "https://169.254.169.254/x"),
        *("https://localhost/", "https://localhost./", "https://0/"),
    ],
)
def test_an_address_written_out_is_refused_in_every_spelling(url):
    with pytest.raises(InvalidValue, match="not on the public internet|can't be resolved|name a host"):
        located(url)


def test_one_private_address_among_public_ones_is_enough_to_refuse(names):
    names["hooks.test"] = [["93.184.216.34", "10.0.0.1"]]

    with pytest.raises(InvalidValue, match="hooks.test is not on the public internet") as refused:
        located("https://hooks.test/")
    assert "10.0.0.1" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "visible characters"),
        ("https://hooks.test/a b", "visible characters"),
        ("https://hooks.test/\r\nX: y", "visible characters"),
        ("https://bücher.test/", "visible characters"),
        ("https://hooks.test/" + "x" * 2000, "visible characters"),
        ("http://hooks.test/", "must begin with https://"),
        ("HTTP://hooks.test/", "must begin with https://"),
        ("ftp://hooks.test/", "must begin with https://"),
        ("//hooks.test/", "must begin with https://"),
        ("hooks.test", "must begin with https://"),
        ("https://anna:secret@hooks.test/", "no user name"),
        ("https://anna@hooks.test/", "no user name"),
        ("https:///path", "must name a host"),
        ("https://hooks.test:0/", "must name a host"),
        ("https://hooks.test:99999/", "no URL that can be read"),
        ("https://[::1/", "no URL that can be read"),
        ("https://[fe80::1%25eth0]/", "must name a host|no URL"),
        ("https://hooks_test\\@x/", "no user name"),
        ("https://hooks.test/#part", "fragment"),
    ],
)
def test_what_is_no_address_of_a_webhook_is_refused(names, url, why):
    names["hooks.test"] = [["93.184.216.34"]]

    with pytest.raises(InvalidValue, match=why) as refused:
        located(url)
    assert "secret" not in str(refused.value)


def test_a_name_that_nobody_knows_is_refused(names):
    names["hooks.test"] = [[]]

    with pytest.raises(InvalidValue, match="hooks.test can't be resolved"):
        located("https://hooks.test/")


def test_a_name_that_nobody_knows_now_may_be_known_when_something_is_sent(names):
    names["hooks.test"] = [[], ["93.184.216.34"]]

    check("https://hooks.test/")

    assert located("https://hooks.test/").addresses == ("93.184.216.34",)


@pytest.mark.parametrize(
    "host",
    ["hooks", "metadata.google.internal", "printer.local", "a.localhost", "nas.home.arpa", "999.1.1.1", "127.0.0.1.5"],
)
def test_what_is_no_public_name_is_refused_if_nobody_knows_it(names, host):
    names[host] = [[]]

    with pytest.raises(InvalidValue, match="can't be resolved"):
        check(f"https://{host}/")


def test_a_name_that_leads_into_the_own_network_is_refused_at_once(names):
    names["hooks.test"] = [["10.0.0.1"]]

    with pytest.raises(InvalidValue, match="not on the public internet"):
        check("https://hooks.test/")


def test_a_shop_may_allow_its_own_network(private):
    place = located("http://127.0.0.1:8080/hooks?token=1")

    assert (place.scheme, place.host, place.port) == ("http", "127.0.0.1", 8080)
    assert (place.netloc, place.target, place.addresses) == ("127.0.0.1:8080", "/hooks?token=1", ("127.0.0.1",))


def test_only_the_host_is_told_to_others():
    assert host_of("https://hooks.test:8443/T0/secret?token=secret") == "hooks.test:8443"
