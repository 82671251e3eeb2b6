"""Result tables, as text that is Markdown too."""

from statistics import median


def table(header, rows):
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def ratio(value, to):
    return f"{value / to:.2f}" if to else ""


def workload_table(results):
    """`results`: proxy name -> rounds. Medians; CPU per request is what is compared."""
    cpu = {name: median(r.cpu_microseconds for r in rounds) for name, rounds in results.items()}
    others = [value for name, value in cpu.items() if name not in ("floor", "apus")]
    rows = []
    for name, rounds in results.items():
        rows.append([
            name,
            f"{cpu[name]:.1f}",
            ratio(cpu[name], cpu.get("floor")),
            ratio(cpu[name], min(others) if others else None),
            f"{median(r.requests for r in rounds):.0f}",
            f"{median(r.p50_milliseconds for r in rounds):.2f}",
            f"{median(r.p99_milliseconds for r in rounds):.2f}",
            f"{median(r.p999_milliseconds for r in rounds):.2f}",
            f"{median(r.pss_mib for r in rounds):.1f}",
            str(sum(r.errors for r in rounds)),
        ])  # fmt: skip
    header = ["proxy", "CPU µs/request", "× floor", "× best peer", "requests/round", "p50 ms", "p99 ms", "p99.9 ms", "PSS MiB", "errors"]
    return table(header, rows)


def idle_table(results):
    others = [value for name, value in results.items() if name != "apus"]
    best = min(others) if others else None
    rows = [[name, f"{value:.2f}", ratio(value, best)] for name, value in results.items()]
    return table(["proxy", "KiB/connection", "× best peer"], rows)
