"""What the page "Where it runs" hands out fits the image that it is for."""

import re

import yaml

from measure.base.files import ROOT
from measure.steps.compose import find_step

ASSETS = ROOT / "docs/assets"
STEP = find_step("step-3")
#: Seconds that gunicorn gives to requests which have begun, as long as nobody says otherwise.
GRACEFUL_TIMEOUT = 30


def test_the_pod_is_asked_where_the_application_answers_and_has_time_to_end():
    pod = yaml.safe_load((ASSETS / "kubernetes.yaml").read_text())["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    dockerfile = STEP.variant("recommended").dockerfile.read_text()
    port = int(re.search(r"^EXPOSE (\d+)$", dockerfile, re.MULTILINE)[1])
    routes = re.findall(r'@app\.get\("(.+?)"\)', (STEP.folder / "src/whichimage/__init__.py").read_text())
    probes = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "readiness", "liveness")}
    assert {probe["port"] for probe in probes.values()} == {port} == {container["ports"][0]["containerPort"]}
    assert {probe["path"] for probe in probes.values()} <= set(routes)
    assert probes["liveness"]["path"] != probes["readiness"]["path"]
    waits = container["lifecycle"]["preStop"]["sleep"]["seconds"] + GRACEFUL_TIMEOUT
    assert pod["terminationGracePeriodSeconds"] > waits
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["enableServiceLinks"] is False
    assert re.search(r"^USER \d+$", dockerfile, re.MULTILINE)
    assert container["volumeMounts"][0]["name"] == pod["volumes"][0]["name"]


def test_the_application_behind_the_proxy_is_reached_by_it_alone():
    services = yaml.safe_load((ASSETS / "proxy.compose.yaml").read_text())["services"]
    assert services["app"]["environment"] == {"FORWARDED_ALLOW_IPS": "*"}
    assert "ports" not in services["app"]
    assert services["app"]["stop_grace_period"] == f"{GRACEFUL_TIMEOUT + 5}s"
    assert "proxy_pass http://app:8000;" in (ASSETS / "nginx.conf").read_text()
