"""What is taken out of a firewall when the lab goes, and what stays; in the format of iptables-save."""

from lab.host import _without_ours

BEFORE = """*filter
:INPUT ACCEPT [5:300]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A INPUT -s 192.0.2.1/32 -j DROP
COMMIT
"""
LAB = """*mangle
:FORWARD DROP [0:0]
COMMIT
*nat
:POSTROUTING ACCEPT [0:0]
:DOCKER - [0:0]
-A POSTROUTING -s 10.231.0.0/24 ! -o pyimages0 -j MASQUERADE
-A DOCKER -i br-1234 -j RETURN
COMMIT
*filter
:INPUT ACCEPT [99:9000]
:FORWARD DROP [7:70]
:OUTPUT ACCEPT [0:0]
:DOCKER-USER - [0:0]
:DOCKER-ISOLATION-STAGE-1 - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-ISOLATION-STAGE-1
-A FORWARD -o pyimages0 -j ACCEPT
-A INPUT -s 192.0.2.1/32 -j DROP
-A INPUT -s 192.10.231.5/32 -j DROP
-A INPUT -s 110.231.0.1/32 -m comment --comment DOCKERISH -j DROP
COMMIT
"""


def test_what_the_lab_wrote_goes_and_what_others_wrote_stays_whether_before_or_since():
    text, empty = _without_ours(LAB, BEFORE, ["br-1234"])
    for word in ("DOCKER-ISOLATION", "pyimages0", "br-1234", "MASQUERADE", ":DOCKER "):
        assert word not in text
    for line in (":DOCKER-USER - [0:0]", "-A FORWARD -j DOCKER-USER", "192.0.2.1/32", "192.10.231.5", "110.231.0.1"):
        assert line in text
    # The policy of FORWARD goes back in the filter table alone; two tables have nothing in them any more.
    assert ":FORWARD ACCEPT [0:0]" in text.split("*filter")[1]
    assert ":FORWARD DROP [0:0]" in text.split("*nat")[0]
    assert empty == {"mangle", "nat"}
    assert _without_ours(text, BEFORE, [])[0] == text
