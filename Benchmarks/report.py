"""Result tables, as text that is Markdown too."""

from statistics import median


def milliseconds(values):
    """The median; nothing when the generator does not tell."""
    middle = median(values)
    return "" if middle != middle else f"{middle:.2f}"


def table(header, rows):
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def ratio(value, to):
    return f"{value / to:.2f}" if to else ""


def cpu(results):
    """`results`: proxy name -> rounds. Medians of CPU per request, in microseconds."""
    return {name: median(r.cpu_microseconds for r in rounds) for name, rounds in results.items()}


def workload_table(results):
    """`results`: proxy name -> rounds. Medians; CPU per request is what is compared."""
    spent = cpu(results)
    others = [value for name, value in spent.items() if name not in ("floor", "apus")]
    rows = []
    for name, rounds in results.items():
        rows.append([
            name,
            f"{spent[name]:.1f}",
            ratio(spent[name], spent.get("floor")),
            ratio(spent[name], min(others) if others else None),
            f"{median(r.load.requests for r in rounds):.0f}",
            milliseconds(r.load.p50 for r in rounds),
            milliseconds(r.load.p99 for r in rounds),
            milliseconds(r.load.p999 for r in rounds),
            f"{median(r.pss_mib for r in rounds):.1f}",
            str(sum(r.load.errors for r in rounds)),
        ])  # fmt: skip
    header = ["proxy", "CPU µs/request", "× floor", "× best peer", "requests/round", "p50 ms", "p99 ms", "p99.9 ms", "PSS MiB", "errors"]
    return table(header, rows)


def cost_table(costs):
    """`costs`: case -> Cost of request_cost.py."""
    rows = [[name, f"{c.instructions:,.0f}", f"{c.allocations:.2f}", f"{c.retains:.2f}"] for name, c in costs.items()]
    return table(["case", "instructions", "allocations", "retains"], rows)


def storm_table(results, unit):
    """`results`: proxy name -> rounds of storms.py. Medians; what is compared is the tail during over before."""

    def middle(rounds, of):
        return median(of(r) for r in rounds)

    rows = []
    for name, rounds in results.items():
        rows.append([
            name,
            *(f"{middle(rounds, lambda r: r.calm[which]):.2f}" for which in ("50", "99", "99.9")),
            *(f"{middle(rounds, lambda r: r.storm[which]):.2f}" for which in ("50", "99", "99.9")),
            f"{middle(rounds, lambda r: r.storm['99.9'] / r.calm['99.9']):.2f}",
            f"{middle(rounds, lambda r: r.calm_main):.1f}", f"{middle(rounds, lambda r: r.storm_main):.1f}",
            f"{middle(rounds, lambda r: r.events_per_second):.1f}",
            str(sum(r.lost for r in rounds)),
        ])  # fmt: skip
    header = ["proxy", "p50 ms before", "p99", "p99.9", "p50 ms during", "p99", "p99.9", "p99.9 during/before",
              "main thread % before", "during", unit, "lost"]  # fmt: skip
    return table(header, rows)


def idle_table(results):
    others = [value for name, value in results.items() if name != "apus"]
    best = min(others) if others else None
    rows = [[name, f"{value:.2f}", ratio(value, best)] for name, value in results.items()]
    return table(["proxy", "KiB/connection", "× best peer"], rows)
