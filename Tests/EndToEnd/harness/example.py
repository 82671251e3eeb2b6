"""The files of examples/ as they are, with ports of their own; what they log to /tmp is the test's."""

import re

from harness.proxy import ROOT

OURS = (8080, 8081, 9901)


def example(make, name, hosts, **options):
    """`hosts`: the port of each host, by the one that stands in the file. Listeners take free ports."""
    ports = {**dict.fromkeys(OURS, 0), **hosts}
    text = (ROOT / "examples" / f"{name}.yaml").read_text().replace(": /tmp/", f": {make.directory}/")
    return make.proxy(re.sub(r"(?<=port_value: )\d+", lambda found: str(ports.get(int(found[0]), found[0])), text), **options)


def answering(make, *ports):
    """A host that answers for each of these ports of an example."""
    return {port: make.origin(lambda connection, request: connection.reply(b"ok")).port for port in ports}
