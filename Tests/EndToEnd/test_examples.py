"""The examples and the demonstration, so that what newcomers try first always works."""

import subprocess
import sys

import pytest

from conftest import KIND
from harness.proxy import ROOT, apus_binary, envoy_binary

EXAMPLES = sorted(path.name for path in (ROOT / "examples").glob("*.yaml"))
# %APUS_FAILURE% is no word of Envoy's.
OURS_ALONE = {"failures.yaml"}


def readme_config():
    text = (ROOT / "README.md").read_text()
    return text.split("```yaml\n", 1)[1].split("```", 1)[0]


def run(*command, seconds=30):
    result = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=seconds, cwd=ROOT)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.mark.needs_envoy
@pytest.mark.parametrize("name", [name for name in EXAMPLES if name not in OURS_ALONE])
def test_envoy_takes_the_examples(name):
    run(envoy_binary(), "--mode", "validate", "-c", ROOT / "examples" / name)


@pytest.mark.apus_only
@pytest.mark.parametrize("name", EXAMPLES)
def test_apus_takes_the_examples(name):
    run(apus_binary(), "check", "-c", ROOT / "examples" / name)


@pytest.mark.apus_only
def test_apus_takes_the_readme(tmp_path):
    path = tmp_path / "readme.yaml"
    path.write_text(readme_config())
    run(apus_binary(), "check", "-c", path)


@pytest.mark.needs_envoy
def test_envoy_takes_the_readme(tmp_path):
    path = tmp_path / "readme.yaml"
    path.write_text(readme_config())
    run(envoy_binary(), "--mode", "validate", "-c", path)


def test_demonstration():
    binary = envoy_binary() if KIND == "envoy" else apus_binary()
    said = run(sys.executable, ROOT / "tools/demo.d/demo.py", "--proxy", binary, "--seconds", "3", seconds=60)
    assert "Clients and statsd agree" in said
