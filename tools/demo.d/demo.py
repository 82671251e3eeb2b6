"""The demonstration. Started by tools/demo; everything listens on 127.0.0.1, on ports that are free now."""

import argparse
import asyncio
import pathlib
import re
import signal
import socket
import sys
import tempfile

from load import Load
from origins import Origin
from statsd import Statsd

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONNECTIONS = 32


class Failed(Exception):
    """Ends the demonstration with a sentence."""


def free_ports(count):
    """All of them at a time, so that no two are the same."""
    sockets = [socket.socket() for _ in range(count)]
    for sock in sockets:
        sock.bind(("127.0.0.1", 0))
    ports = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports


def rewritten(ports, access_log):
    """examples/edge.yaml with its ports (and its log file) replaced: { "port_value: 9001": 43211, ... }."""
    text = (ROOT / "examples/edge.yaml").read_text()
    for old, new in ports.items():
        found = re.subn(rf"port_value: {old}\b", f"port_value: {new}", text)
        if found[1] != 1:
            raise Failed(f"examples/edge.yaml names port {old} {found[1]} times; the demonstration expects it once")
        text = found[0]
    return text.replace("0.0.0.0", "127.0.0.1").replace("/tmp/apus-edge-access.log", str(access_log))


async def start_proxy(binary, directory, ports):
    if not pathlib.Path(binary).exists():
        raise Failed(f"{binary} does not exist: build it with `swift build -c release`")
    path = directory / "edge.yaml"
    path.write_text(rewritten(ports, directory / "access.log"))
    run = [] if pathlib.Path(binary).name.startswith("envoy") else ["run"]
    extra = ["-l", "error"] + ([] if run else ["--disable-hot-restart"])
    log = open(directory / "proxy.log", "wb")
    process = await asyncio.create_subprocess_exec(binary, *run, "-c", path, *extra, stdout=log, stderr=log)
    for _ in range(200):
        if process.returncode is not None:
            break
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", ports[8080])
            writer.close()
            return process
        except OSError:
            await asyncio.sleep(0.05)
    if process.returncode is None:
        process.kill()
        await process.wait()
    said = (directory / "proxy.log").read_text(errors="replace")
    raise Failed(f"{binary} did not start (exit status {process.returncode}). It said:\n{said}")


async def play(load, origins, seconds):
    """A third of the time with three origins, a third with two, a third with three again."""
    running = asyncio.create_task(load.run())
    lost = origins[1]
    for say, act in (
        (f"{CONNECTIONS} connections send requests to three origins", None),
        (f"{lost.name} is taken away", lost.stop),
        (f"{lost.name} comes back", lost.start),
    ):
        if act:
            await act()
        print(f"  {say}...", flush=True)
        done, _ = await asyncio.wait([running], timeout=seconds / 3)
        if done:
            await running
            raise Failed("the load ended before its time")
    load.stopping = True
    await asyncio.wait_for(running, 20)


async def stop_proxy(process):
    process.send_signal(signal.SIGTERM)
    try:
        status = await asyncio.wait_for(process.wait(), 20)
    except asyncio.TimeoutError:
        raise Failed("apus still runs 20 s after SIGTERM") from None
    if status != 0:
        raise Failed(f"apus left with status {status} after SIGTERM, not 0")


def show(load, count):
    """Prints the table; returns the rows where statsd's counters and the clients disagree."""
    rows = [("requests sent", load.sent, count["edge.http.ingress.downstream_rq_total"])]
    for status, number in sorted(load.statuses.items()):
        same_class = sum(n for s, n in load.statuses.items() if s // 100 == status // 100)
        rows.append((f"answered {status // 100}xx", same_class, count[f"edge.http.ingress.downstream_rq_{status // 100}xx"]))
    rows = list(dict.fromkeys(rows))
    rows.append(("200 from origins", load.statuses[200], count["edge.cluster.origins.upstream_rq_200"]))
    print(f"\n  {'':<24}{'clients':>12}{'statsd':>12}")
    for name, theirs, ours in rows:
        print(f"  {name:<24}{theirs:>12}{ours:>12}{'' if theirs == ours else '   differs!'}")
    print(f"  {'broken connections':<24}{load.broken:>12}")
    print(f"  {'retries':<24}{'':>12}{count['edge.cluster.origins.upstream_rq_retry']:>12}\n")
    for name, number in sorted(load.origins.items()):
        print(f"  {name:<24}{number:>12}")
    print()
    for which in (50, 99, 99.9):
        print(f"  {f'p{which:g}':<24}{load.percentile_milliseconds(which):>9.2f} ms")
    return [name for name, theirs, ours in rows if theirs != ours]


async def demonstrate(binary, seconds, directory):
    statsd, origins = Statsd(), [Origin(f"origin-{number}") for number in (1, 2, 3)]
    await statsd.start()
    for origin in origins:
        await origin.start()
    ports = dict(zip((8080, 8081, 9901), free_ports(3)))
    ports[8125] = statsd.port
    ports.update({9001 + index: origin.port for index, origin in enumerate(origins)})
    process = await start_proxy(binary, directory, ports)
    try:
        print(f"apus listens on 127.0.0.1:{ports[8080]}, admin on http://127.0.0.1:{ports[9901]}/")
        load = Load(ports[8080], CONNECTIONS)
        await play(load, origins, seconds)
        await stop_proxy(process)
        counters, dropped = await statsd.finish()
        differing = show(load, counters)
        if dropped:
            raise Failed(f"the kernel dropped {dropped} datagrams on their way to statsd (net.core.rmem_max is small)")
        if differing:
            raise Failed(f"clients and statsd disagree: {', '.join(differing)}")
        if len(load.origins) < 3 or load.statuses[200] == 0:
            raise Failed("not every origin answered")
        print("\nClients and statsd agree; apus left with status 0 after its last flush.")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await statsd.stop()
        for origin in origins:
            await origin.stop()


def main():
    parser = argparse.ArgumentParser(description="A demonstration of apus.")
    parser.add_argument("--proxy", default=str(ROOT / ".build/release/apus"), help="the binary to run")
    parser.add_argument("--seconds", type=float, default=12)
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="apus-demo-") as directory:
        try:
            asyncio.run(demonstrate(chosen.proxy, chosen.seconds, pathlib.Path(directory)))
        except Failed as failure:
            sys.exit(f"demo: {failure}")
        except KeyboardInterrupt:
            sys.exit(130)


main()
