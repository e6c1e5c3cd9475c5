"""What a deployment costs and which limit it meets first: the figures of docs/capacity.md.

    python scripts/capacity.py            print the tables
    python scripts/capacity.py --write    put them into docs/capacity.md

Pure arithmetic over three lists: what the code does (counted by tests/infra/test_capacity.py), what
the services allow, and what they cost. The last two are approximate and not checked live.
"""

import math
import sys
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs" / "capacity.md"
BEGIN, END = "<!-- capacity: begin -->", "<!-- capacity: end -->"

MONTH = 30 * 86_400.0
SIZES = (10, 1_000, 100_000, 1_000_000, 10_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """What the code does for each thing; a test counts it on the code itself."""

    shards: int = 64
    batch: int = 100
    page: int = 1_000
    timer_seconds: int = 300
    # A refresh from the queue: the batch reads, the refresher reads, leases, and moves the row.
    requests_per_refresh: int = 4
    # The same in entities, of which a partition takes 2,000 a second: the move writes three.
    entities_per_refresh: int = 6
    tokens_per_refresh: int = 1
    requests_per_delivery: int = 1
    remembered_seconds: int = 60
    breaker_seconds: int = 10
    requests_per_sweep: int = 5
    requests_per_sweep_and_client: int = 1
    vault_per_sweep: int = 2
    signature_seconds: int = 540
    # docs/performance.md: processor time of a refresh and of a delivery, refreshes a second.
    refresh_cpu: float = 0.0040
    delivery_cpu: float = 0.0008
    refreshes_per_instance: float = 193.0
    # Messages that one instance works on at once: host.json, batchSize + newBatchThreshold.
    messages_at_once: int = 6
    # What the timer holds in memory for a due row (the key, and its message on the way to the
    # host), and what reading it costs.
    due_row_bytes: int = 600
    due_row_cpu: float = 0.000_025


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Published limits, from the project's notes of 2026-11-23; not checked live."""

    account_per_second: float = 20_000
    partition_per_second: float = 2_000
    vault_per_ten_seconds: float = 4_000
    region_memory_gb: float = 500
    function_seconds: float = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """Approximate list prices in US dollars, noted 2026-11-23, not checked live."""

    table_10k: float = 0.000_36
    table_gb: float = 0.045
    queue_10k: float = 0.004
    vault_10k: float = 0.03
    execution_million: float = 0.40
    executions_free: float = 250_000
    gb_second: float = 0.000_026
    gb_seconds_free: float = 100_000
    log_gb: float = 2.30
    log_gb_free: float = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How a deployment is used."""

    mailboxes: int
    hot_share: float = 0.01
    hot_minutes: float = 50  # the shortest life of an access token less the margin
    rest_hours: float = 21  # keep-alive of a day, less the mean jitter of an eighth
    asks_per_hot_hour: float = 4
    clients: int = 10
    instances: int = 3
    memory_gb: float = 2
    process_hours: float = 1
    mailbox_bytes: int = 9_000
    log_bytes: int = 1_500


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """What a month takes."""

    refreshes_per_second: float
    deliveries_per_second: float
    table: float
    queue: float
    vault: float
    executions: float
    gb_seconds: float
    stored_gb: float
    log_gb: float

    def dollars(self, prices: Prices) -> dict[str, float]:
        """Return what each part costs."""
        return {
            "tables": self.table / 1e4 * prices.table_10k + self.stored_gb * prices.table_gb,
            "queue": self.queue / 1e4 * prices.queue_10k,
            "vaults": self.vault / 1e4 * prices.vault_10k,
            "functions": max(0.0, self.executions - prices.executions_free)
            / 1e6
            * prices.execution_million
            + max(0.0, self.gb_seconds - prices.gb_seconds_free) * prices.gb_second,
            "logs": max(0.0, self.log_gb - prices.log_gb_free) * prices.log_gb,
        }


def month(load: Load, code: Code) -> Month:
    """Return what a month takes at this load."""
    hot = load.mailboxes * load.hot_share
    refreshes = hot / (load.hot_minutes * 60)
    refreshes += (load.mailboxes - hot) / (load.rest_hours * 3600)
    deliveries = hot * load.asks_per_hot_hour / 3600
    runs = MONTH / code.timer_seconds
    due = refreshes * code.timer_seconds
    touched = code.shards * (1 - math.exp(-due / code.shards))
    messages = runs * (touched + due / code.batch)
    processes = load.instances * MONTH / (load.process_hours * 3600)
    looked_up = min(
        deliveries * MONTH,
        load.instances * (1 + load.clients) * MONTH / code.remembered_seconds,
    ) + min(
        2 * refreshes * MONTH,
        load.instances * load.clients * MONTH / code.breaker_seconds,
    )
    table = MONTH * (
        refreshes * code.requests_per_refresh + deliveries * code.requests_per_delivery
    )
    table += looked_up
    table += runs * (code.shards + touched + due / code.page)
    table += runs * (code.requests_per_sweep + load.clients * code.requests_per_sweep_and_client)
    vault = processes * load.clients + runs * code.vault_per_sweep
    vault += load.instances * load.clients * MONTH / code.signature_seconds
    executions = 2 * runs + messages + deliveries * MONTH
    per_message = due * runs / messages if messages else 0
    busy = runs * (2 + 1 + due * code.due_row_cpu)
    # What runs at once on an instance is paid once, but has one core.
    together = max(1.0, min(code.messages_at_once, messages / runs))
    cpu = per_message * code.refresh_cpu
    busy += messages * max(max(1.0, 0.7 + cpu) / together, cpu)
    busy += MONTH * max(deliveries * code.delivery_cpu, 1 - math.exp(-deliveries))
    return Month(
        refreshes_per_second=refreshes,
        deliveries_per_second=deliveries,
        table=table,
        queue=messages * 3 + MONTH / 30,
        vault=vault,
        executions=executions,
        gb_seconds=busy * load.memory_gb,
        stored_gb=load.mailboxes * load.mailbox_bytes / 1e9,
        log_gb=executions * load.log_bytes / 1e9,
    )


WHAT_THEN = {
    "account": "a second storage account for `grants`, or a deployment for a part of the clients",
    "shard": "more shards: a migration, since the shard follows from the mailbox's id",
    "vault": "fewer instances with more memory, or a keys vault for a part of the clients",
    "timer's memory": "instances of 4,096 MB; then queue a bounded number of due rows in a run",
    "timer's time": "queue a bounded number of due rows in a run",
    "instances": "a higher regional quota, or a deployment in another region",
}


def shares(load: Load, code: Code, limits: Limits) -> dict[str, float]:
    """Return how much of each limit is used, where 1 is all of it."""
    taken = month(load, code)
    everything_due = load.mailboxes
    cores = taken.refreshes_per_second * code.refresh_cpu
    cores += taken.deliveries_per_second * code.delivery_cpu
    return {
        "account": taken.table / MONTH / limits.account_per_second,
        "shard": (
            taken.refreshes_per_second * code.entities_per_refresh
            + taken.deliveries_per_second * code.requests_per_delivery
        )
        / code.shards
        / limits.partition_per_second,
        # All processes begin at once, and each opens every client's keys.
        "vault": load.clients * load.instances / limits.vault_per_ten_seconds,
        # After an outage as long as the keep-alive all rows are due in one run.
        "timer's memory": everything_due * code.due_row_bytes / (load.memory_gb * 1e9),
        "timer's time": everything_due * code.due_row_cpu / limits.function_seconds,
        # One core in an instance of 2 GB, kept half idle.
        "instances": cores * 2 * 2 / limits.region_memory_gb,
    }


def nearest(load: Load, code: Code, limits: Limits) -> list[tuple[str, float]]:
    """Return the limits, the one that is met first at the head, and how much of each is used."""
    return sorted(shares(load, code, limits).items(), key=lambda each: -each[1])


def catch_up_minutes(load: Load, code: Code, limits: Limits) -> float:
    """Return how long it takes to refresh everybody once, e.g. after an outage."""
    fastest = min(
        load.instances * code.refreshes_per_instance,
        limits.account_per_second / code.requests_per_refresh,
    )
    return load.mailboxes / fastest / 60


def tables(code: Code = Code(), limits: Limits = Limits(), prices: Prices = Prices()) -> str:
    """Return the generated part of the page."""
    parts = [
        "### One mailbox in a hundred is in use\n",
        *_tables([Load(mailboxes=size) for size in SIZES], code, limits, prices),
        "\n### Every mailbox is in use\n",
        *_tables([Load(mailboxes=size, hot_share=1.0) for size in SIZES], code, limits, prices),
    ]
    parts += ["\n### What then\n", "| Limit | What then |", "|---|---|"]
    parts += [f"| {name} | {then} |" for name, then in WHAT_THEN.items()]
    return "\n".join(parts) + "\n"


def _tables(loads: list[Load], code: Code, limits: Limits, prices: Prices) -> list[str]:
    rows = [
        "| Mailboxes | refreshes/s | deliveries/s | table requests | queue operations |"
        " vault operations | executions | GB-s | stored GB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    money = [
        "",
        "| Mailboxes | tables $ | queue $ | vaults $ | functions $ | logs $ | together $ |"
        " everyone once | nearest limits |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for load in loads:
        taken = month(load, code)
        figures = (
            *(taken.refreshes_per_second, taken.deliveries_per_second, taken.table, taken.queue),
            *(taken.vault, taken.executions, taken.gb_seconds, taken.stored_gb),
        )
        cells = " | ".join(_short(each) for each in figures)
        rows.append(f"| {load.mailboxes:,} | {cells} |")
        paid = taken.dollars(prices)
        near = [each for each in nearest(load, code, limits) if each[1] >= 0.1]
        cells = " | ".join(_short(each) for each in (*paid.values(), sum(paid.values())))
        used = ", ".join(f"{name} {share:.0%}" for name, share in near) or "none above 10%"
        minutes = catch_up_minutes(load, code, limits)
        money.append(f"| {load.mailboxes:,} | {cells} | {_duration(minutes)} | {used} |")
    return rows + money


def _short(value: float) -> str:
    for unit, name in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= unit:
            return f"{value / unit:.3g}{name}"
    if value >= 10:
        return f"{value:.0f}"
    return f"{value:.2g}" if value >= 0.005 else "0"


def _duration(minutes: float) -> str:
    return f"{minutes / 60:.1f} h" if minutes >= 90 else f"{max(minutes, 1):.0f} min"


def renewed(page: str, generated: str) -> str:
    """Return *page* with *generated* between its two marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{generated}{END}{after}"


def main() -> None:
    """Print the tables, or write them."""
    if "--write" in sys.argv[1:]:
        PAGE.write_text(renewed(PAGE.read_text(), tables()))
    else:
        sys.stdout.write(tables())


if __name__ == "__main__":
    main()
