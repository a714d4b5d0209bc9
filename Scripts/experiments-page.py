#!/usr/bin/env python3
"""Writes docs/experiments.md and its plots from the catalogs that Scripts/experiments.sh made.

usage: experiments-page.py FOLDER DOCS_FOLDER      (EVODB names the program; Python's standard library only)

Every number is read from a catalog through `evodb query` or `evodb compare`; a part that was not run is left out, and
the page says so.
"""

import functools
import json
import math
import os
import statistics
import subprocess
import sys

folder, docs = sys.argv[1], sys.argv[2]
program = os.environ.get("EVODB", "evodb")
out = []
missing = []


def evodb(*arguments):
    return subprocess.run([program, *arguments], check=True, capture_output=True, text=True).stdout


def query(catalog, sql):
    text = evodb("query", path(catalog), sql, "--format", "jsonl")
    return [json.loads(line) for line in text.splitlines()]


def path(catalog):
    return os.path.join(folder, catalog + ".evodb")


def write(*lines):
    out.extend(lines)


def runs(catalog):
    if not os.path.exists(path(catalog)):
        return []
    return [row["run"] for row in query(catalog, "SELECT run FROM run_summary WHERE state = 'finished' ORDER BY run_id")]


def number(value, digits=4):
    if value is None:
        return ""
    text = f"{value:.{digits}g}"
    if "e" in text:
        text = f"{value:.6f}"
    return text.replace("-", "−")


def commands(part):
    """The commands of a part, each once, as the script printed them."""
    name = os.path.join(folder, part + ".commands")
    if not os.path.exists(name):
        return
    seen = []
    with open(name) as file:
        for line in file:
            if line not in seen:
                seen.append(line)
    write(f"<details><summary>The {len(seen)} commands of <code>Scripts/experiments.sh {part}</code></summary>", "")
    write("```", *[line.rstrip() for line in seen], "```", "", "</details>", "")


# MARK: The searches against the baselines


def compare(catalog, first, others, data):
    text = evodb("compare", path(catalog), first, *others, "--data", data, "--format", "jsonl")
    rows = {}
    for line in text.splitlines():
        row = json.loads(line)
        rows.setdefault(row["run"], {})[row["measure"].removesuffix("-bfloat16")] = row
    for name in others:
        for measure, row in rows.get(name, {}).items():
            if row["difference"] is None and row["assignment"] == rows[first][measure]["assignment"]:
                row["difference"] = row["difference_standard_error"] = 0.0
    return rows


@functools.cache
def fitness(catalog):
    """The measure that the searches of a catalog were made with."""
    return query(catalog, "SELECT measure FROM run_summary ORDER BY run_id LIMIT 1")[0]["measure"]


SEARCHES = {"search": "EvoPress", "guided-short": "guided, short", "guided": "guided"}
CELLS = (
    [(f"{target} bits", "bits", target) for target in ("2.25", "2.5", "3", "4")]
    + [(f"{target} % sparsity", f"sparsity-{target}", target) for target in ("50", "60", "70")]
    + [(f"{target} % sparsity, wide levels", f"wide-sparsity-{target}", target) for target in ("50", "60")]
    + [(f"{target} of 12 blocks", "drops", target) for target in ("2", "3", "4")]
    + [(f"SmolLM2-135M, {target} bits", "smollm2", target) for target in ("3", "3.5")])
# Of each search against the baselines, per data set: how many cells, and how many of them lost.
cells = {kind: {"calibration": [0, 0], "validation": [0, 0]} for kind in SEARCHES}
curves = {}


def search_runs(catalog, kind, target):
    """The seeds of one search, the best on the calibration set first, each with its KL on both sets."""
    if not os.path.exists(path(catalog)):
        return []
    rows = query(
        catalog,
        "SELECT c.run, c.value AS calibration, v.value AS validation FROM run_result c JOIN run_result v ON v.run = c.run"
        " AND v.point = 'found' AND v.measure = c.measure AND v.data_set_role = 'validation' WHERE c.point = 'found'"
        f" AND c.measure = '{fitness(catalog)}' AND c.data_set_role = 'calibration' AND c.run GLOB '{kind}-{target}-[0-9]'"
        " ORDER BY c.value, c.run")
    return [row for row in rows if row["run"] in runs(catalog)]


def median_run(rows, role):
    """The run in the middle of the seeds."""
    ordered = sorted(rows, key=lambda row: (row[role], row["run"]))
    return ordered[(len(ordered) - 1) // 2] if ordered else None


def is_lost(row):
    return row["difference"] < -row["difference_standard_error"]


def table(title, catalog, target):
    """One budget: the median of each search's seeds against every baseline."""
    found = {kind: search_runs(catalog, kind, target) for kind in SEARCHES}
    medians = {kind: median_run(rows, "calibration")["run"] for kind, rows in found.items() if rows}
    others = [
        name for name in runs(catalog)
        if not name.startswith(("search-", "guided-", "converge-")) and name.endswith(f"-{target}")]
    if "search" not in medians or not others:
        missing.append(title)
        return
    compared = list(medians.values()) + others
    tables = {
        (kind, role): compare(catalog, median, [name for name in compared if name != median], role)
        for kind, median in medians.items() for role in ("calibration", "validation")}
    write(f"**{title}.** Validation KL of the seeds:", "")
    for kind, rows in found.items():
        if rows:
            values = ", ".join(number(row["validation"]) for row in sorted(rows, key=lambda row: row["run"]))
            write(f"- {SEARCHES[kind]}: {values}")
    columns = [kind for kind in ("search", "guided") if kind in medians]
    heads = "".join(f" − {SEARCHES[kind]} | ± | |" for kind in columns)
    write("", f"| | calibration KL | validation KL |{heads} validation perplexity |")
    write("|---|---:|---:|" + "---:|---:|---|" * len(columns) + "---:|")
    guided_medians = [median for kind, median in medians.items() if kind != "search"]
    label_of = {name: f"**{SEARCHES[kind]}**" for kind, name in medians.items()}
    value = lambda name, role: tables["search", role][name].get("kl", {}).get("value")
    for name in sorted(compared, key=lambda name: value(name, "calibration") or math.inf):
        line = (
            f"| {label_of.get(name, name[: -len(target) - 1])} | {number(value(name, 'calibration'))} | "
            f"{number(value(name, 'validation'))} |")
        for kind in columns:
            row = tables[kind, "validation"][name].get("kl")
            if name == medians[kind] or not row:
                line += " | | |"
                continue
            mark = "**lost**" if is_lost(row) and name not in guided_medians else ""
            line += f" {number(row['difference'], 3)} | {number(row['difference_standard_error'], 2)} | {mark} |"
        write(f"{line} {number(tables['search', 'validation'][name]['perplexity']['value'], 5)} |")
        label = label_of.get(name, name[: -len(target) - 1]).strip("*")
        curves.setdefault(catalog.split("-")[0], {}).setdefault(label, []).append(
            (float(target), value(name, "validation")))
    for (kind, role), rows in tables.items():
        rivals = others + ([medians["search"]] if kind != "search" else [])
        lost = [name for name in rivals if rows[name].get("kl") and is_lost(rows[name]["kl"])]
        cells[kind][role][0] += sum(1 for name in rivals if rows[name].get("kl"))
        cells[kind][role][1] += len(lost)
    write("")


# MARK: Tokens


def tokens(catalog, run):
    """What a run evaluated, sweeps included, whether or not the catalog had it: by generation, then in all.

    Candidates of all stages are rows of the catalog, with what each predicted: one less than its tokens a sequence. A sweep's evaluations are not a generation's; every evaluation that
    a job asked for is of one sequence, so the sweep is what remains without stages and without the last report, which
    evaluates up to four assignments on both data sets. What a stopped run asked for twice counts twice.
    """
    stages = query(
        catalog,
        "SELECT generation, evaluated_prediction_count AS predictions FROM run_progress WHERE"
        f" run = '{run}' AND evaluated_prediction_count > 0")
    asked = query(
        catalog,
        f"SELECT sum(evaluation_count + cache_hit_count) AS sequences FROM job_summary WHERE run = '{run}' AND job_id <="
        f" (SELECT min(job_id) FROM job_summary WHERE run = '{run}' AND outcome = 'done')")[0]["sequences"]
    size = query(catalog, "SELECT sum(sequence_count) AS sequences, sum(token_count) AS tokens FROM data_set_summary"
                          " WHERE data_set IN ('calibration', 'validation')")[0]
    points = query(catalog, f"SELECT count(DISTINCT assignment_id) AS count FROM run_point WHERE run = '{run}'")[0]["count"]
    length = size["tokens"] // size["sequences"]
    by_generation = {row["generation"]: row["predictions"] * length // (length - 1) for row in stages}
    sweep = (asked - points * size["sequences"]) * length - sum(by_generation.values())
    # Generation 0 measures one level of each unit, and generation 1 what else it takes.
    first = query(
        catalog,
        "SELECT (1 + (SELECT count(DISTINCT unit_index) FROM space_choice c WHERE c.space_id = r.space_id)) *"
        " coalesce((SELECT CAST(value AS INTEGER) FROM run_parameter p WHERE p.run = r.run AND p.name = 'sweep_tokens'), 512)"
        f" AS tokens FROM run_summary r WHERE r.run = '{run}'")[0]["tokens"]
    first = min(sweep, first)
    by_generation[0] = by_generation.get(0, 0) + first
    by_generation[1] = by_generation.get(1, 0) + sweep - first
    return by_generation, sum(by_generation.values())


def reached(catalog, run, limit):
    """How many tokens a run had evaluated when its parent was as good on validation data as a limit; None: never."""
    by_generation, _ = tokens(catalog, run)
    rows = query(
        catalog,
        "SELECT p.generation, e.value FROM run_progress p LEFT JOIN evaluation_summary e ON e.assignment ="
        f" p.parent_assignment AND e.data_set = 'validation' AND e.measure = '{fitness(catalog)}'"
        f" WHERE p.run = '{run}' ORDER BY p.generation")
    count = 0
    for row in rows:
        count += by_generation.get(row["generation"], 0)
        if row["value"] is not None and row["value"] <= limit:
            return count
    return None


def summary():
    """All cells in one table: medians of validation KL, and their difference."""
    lines = [
        "| | uniform | EvoPress | guided, short | guided | guided − EvoPress | ± | % | short − EvoPress | ± | % |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"]
    costs = [
        "| | EvoPress | guided, short | guided | to EvoPress's KL | share |",
        "|---|---:|---:|---:|---:|---:|"]
    for title, catalog, target in CELLS:
        found = {kind: search_runs(catalog, kind, target) for kind in SEARCHES}
        if not found["search"] or not (found["guided"] or found["guided-short"]):
            continue
        medians = {kind: median_run(rows, "validation") for kind, rows in found.items() if rows}
        evopress = medians["search"]
        held = compare(catalog, evopress["run"], [row["run"] for kind, row in medians.items() if kind != "search"], "validation")
        uniform = query(
            catalog,
            f"SELECT value FROM run_result WHERE run = 'uniform-{target}' AND point = 'found'"
            f" AND measure = '{fitness(catalog)}' AND data_set_role = 'validation'")
        line = f"| {title} | {number(uniform[0]['value']) if uniform else '–'} |"
        for kind, rows in found.items():
            few = f" ({len(rows)} of 3)" if 0 < len(rows) < 3 else ""
            line += f" {number(medians.get(kind, {}).get('validation'))}{few} |"
        for kind in ("guided", "guided-short"):
            if kind not in medians:
                line += " | | |"
                continue
            row = held[medians[kind]["run"]]["kl"]
            percent = 100 * row["difference"] / evopress["validation"]
            line += (
                f" {number(row['difference'], 3)} | {number(row['difference_standard_error'], 2)} | "
                f"{number(round(percent, 1), 3)} |")
        lines.append(line)
        all_tokens = {
            kind: max((tokens(catalog, row["run"])[1] for row in rows), default=None) for kind, rows in found.items()}
        first = []
        for seed in sorted({row["run"].rsplit("-", 1)[1] for row in found["guided"] + found["guided-short"]}):
            names = [f"guided-short-{target}-{seed}", f"guided-{target}-{seed}"]
            counts = [reached(catalog, name, evopress["validation"]) for name in names if name in runs(catalog)]
            first.append(min((count for count in counts if count is not None), default=math.inf))
        median = sorted(first)[(len(first) - 1) // 2]
        share = "" if median == math.inf else f"{100 * median / all_tokens['search']:.0f} %"
        comma = lambda count: "" if count is None else "never" if count == math.inf else f"{count:,}"
        costs.append(
            f"| {title} | {comma(all_tokens['search'])} | {comma(all_tokens['guided-short'])} | {comma(all_tokens['guided'])} | "
            f"{comma(median)} | {share} |")
    if len(lines) == 2:
        missing.append("the guided search")
        return ["The guided search was not run."]
    return (
        ["Validation KL, medians of three seeds, or of as many as are named; differences below 0 mean that the guided search",
         "is better:", ""] + lines
        + ["",
           "Evaluated tokens, of the seed that evaluated the most: every candidate on every minibatch, sweeps included, whether",
           "or not the catalog had the answer. The last columns say after how many of them a guided search, short or not, had a",
           "parent whose validation KL is that of the median EvoPress or less (the median of the seeds), and how much that is",
           "of what EvoPress evaluated:", ""] + costs)


def budgets():
    name = os.path.join(folder, "budgets.jsonl")
    if not os.path.exists(name):
        missing.append("ten budgets")
        write("Not run.", "")
        return
    jobs = query(
        "bits",
        "SELECT evaluation_count + cache_hit_count AS sequences FROM job_summary WHERE command = 'front' AND outcome ="
        " 'done' ORDER BY 1")
    sweep, ten = 256 * jobs[0]["sequences"], 256 * jobs[-1]["sequences"]
    _, search = tokens("bits", "guided-3-0")
    write(
        f"`evodb front` evaluates {sweep:,} tokens for all ten assignments, the sweep that one budget takes as well, and {ten:,}",
        f"with an evaluation of each on the whole validation text; one guided search evaluates {search:,}.",
        "",
        "| bits | validation KL of the front | the median guided search |",
        "|---:|---:|---:|")
    with open(name) as file:
        for text in file:
            row = json.loads(text)
            target = row["target"].removesuffix("bit")
            found = median_run(search_runs("bits", "guided", target), "validation")
            write(f"| {target} | {number(row['value'])} | {number(found['validation']) if found else ''} |")
    write("")


# MARK: The reference implementation


def reference():
    """The same searches in PyTorch: each seed's result beside evodb's of the same place in the order of calibration KL."""
    name = os.path.join(folder, "reference.jsonl")
    if not os.path.exists(name):
        missing.append("the reference implementation")
        write("Not run.", "")
        return
    lines = {}
    with open(name) as file:
        for text in file:
            line = json.loads(text)
            lines[line["part"], line["seed"]] = line
    write(
        "`Benchmarks/reference_search.py` searches as EvoPress does, in PyTorch, on the levels of the catalogs above, with the same",
        "tokens, generations, offspring and stages (`Scripts/experiments.sh reference`). Its results were taken in as profiles.",
        "Three seeds each; the medians by calibration KL are compared on validation data: differences above 0 mean that evodb's is",
        "the better one. The paired standard error knows nothing of the seeds, whose spread is larger than most of the",
        "differences.",
        "",
        "| | calibration KL, evodb | calibration KL, reference | validation KL, evodb | reference | − evodb | ± | |",
        "|---|---|---|---:|---:|---:|---:|---|")
    for part, catalog in (("bits-2.5", "bits"), ("sparsity-60", "sparsity-60"), ("drops-3", "drops")):
        kind, target = part.split("-")
        theirs = [line["assignment"] for (other, _), line in sorted(lines.items()) if other == part]
        ours = [run for run in runs(catalog) if run.startswith(f"search-{target}-")]
        if not theirs or not ours:
            missing.append(f"the reference implementation, {part}")
            continue
        calibration = compare(catalog, ours[0], ours[1:] + theirs, "calibration")
        value = lambda run: calibration[run]["kl"]["value"]
        own, other = sorted(ours, key=value), sorted(theirs, key=value)
        one, two = own[(len(own) - 1) // 2], other[(len(other) - 1) // 2]
        held = compare(catalog, one, [two], "validation")
        row = held[two]["kl"]
        difference, error = row["difference"] or 0, row["difference_standard_error"] or 0
        mark = "**lost**" if difference < -error else "better" if difference > error else "even"
        numbers = lambda names: ", ".join(number(value(name)) for name in names)
        unit = {"bits": "bits", "sparsity": "% sparsity", "drops": "of 12 blocks removed"}[kind]
        write(
            f"| {target} {unit} | {numbers(own)} | {numbers(other)} | {number(held[one]['kl']['value'])} | "
            f"{number(row['value'])} | {number(difference, 3)} | {number(error, 2)} | {mark} |")
    write("")


# MARK: Plots

COLOURS = [
    "#1b6ca8", "#d1495b", "#2e933c", "#8c5e15", "#7a4aa0", "#444444", "#e08e00", "#008b8b", "#b8336a", "#5f7f00", "#9aa5b1",
    "#c0a000", "#005f73",
]


class Plot:
    """A plot as SVG: points or lines over two axes, of which the second may be logarithmic."""

    width, height, left, bottom, top, right = 640, 400, 70, 50, 20, 150

    def __init__(self, x_label, y_label, points, log_y=False):
        self.x_label, self.y_label, self.log_y = x_label, y_label, log_y
        xs, ys = [p[0] for p in points], [self.scaled(p[1]) for p in points]
        self.x_range, self.y_range = self.padded(xs), self.padded(ys)
        self.parts = []

    def scaled(self, y):
        return math.log10(y) if self.log_y else y

    @staticmethod
    def padded(values):
        low, high = min(values), max(values)
        pad = (high - low or 1) * 0.05
        return low - pad, high + pad

    def place(self, x, y):
        (x0, x1), (y0, y1) = self.x_range, self.y_range
        inner = self.width - self.left - self.right
        return (
            self.left + (x - x0) / (x1 - x0) * inner,
            self.height - self.bottom - (self.scaled(y) - y0) / (y1 - y0) * (self.height - self.bottom - self.top))

    def dots(self, points, colour, radius=3, opacity=1.0):
        for x, y in points:
            px, py = self.place(x, y)
            self.parts.append(
                f'<circle cx="{px:.1f}" cy="{py:.1f}" r="{radius}" fill="{colour}" fill-opacity="{opacity}"/>')

    def line(self, points, colour, width=1.5):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (self.place(*p) for p in points))
        self.parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}"/>')

    def text(self, x, y, text, anchor="start", size=12, extra=""):
        self.parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" {extra}>{text}</text>')

    def ticks(self, low, high):
        step = 10 ** math.floor(math.log10((high - low) / 4))
        for factor in (1, 2, 5, 10):
            if (high - low) / (step * factor) <= 6:
                step *= factor
                break
        return [step * i for i in range(math.ceil(low / step), math.floor(high / step) + 1)]

    def y_ticks(self):
        low, high = self.y_range
        if not self.log_y:
            return [(t, t) for t in self.ticks(low, high)]
        marks = [m * 10.0**e for e in range(-6, 4) for m in (1, 2, 5)]
        return [(m, m) for m in marks if low <= math.log10(m) <= high]

    def save(self, name, legend):
        bottom, right = self.height - self.bottom, self.width - self.right
        self.parts.append(f'<path d="M{self.left} {self.top}V{bottom}H{right}" fill="none" stroke="#333"/>')
        for tick in self.ticks(*self.x_range):
            px, _ = self.place(tick, 1)
            self.parts.append(f'<path d="M{px:.1f} {bottom}v5" stroke="#333"/>')
            self.text(px, bottom + 18, f"{tick:.4g}", "middle")
        for tick, value in self.y_ticks():
            _, py = self.place(self.x_range[0], value)
            self.parts.append(f'<path d="M{self.left} {py:.1f}h-5" stroke="#333"/>')
            self.text(self.left - 8, py + 4, f"{tick:.3g}", "end")
        self.text((self.left + right) / 2, self.height - 12, self.x_label, "middle", 13)
        middle = (self.top + bottom) / 2
        self.text(16, middle, self.y_label, "middle", 13, f'transform="rotate(-90 16 {middle})"')
        for index, (label, colour) in enumerate(legend):
            y = self.top + 12 + 18 * index
            self.parts.append(f'<circle cx="{right + 20}" cy="{y - 4}" r="4" fill="{colour}"/>')
            self.text(right + 30, y, label)
        with open(os.path.join(docs, "images", name), "w") as file:
            file.write(
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" '
                f'font-family="sans-serif">\n<rect width="100%" height="100%" fill="white"/>\n'
                + "\n".join(self.parts) + "\n</svg>\n")


def curve_plot(kind, name, x_label):
    lines = {label: sorted(points) for label, points in curves.get(kind, {}).items()}
    if not lines:
        return
    order = sorted(lines, key=lambda label: (label not in SEARCHES.values(), label))
    plot = Plot(x_label, "validation KL, nats", [p for points in lines.values() for p in points], log_y=True)
    legend = []
    for index, label in enumerate(order):
        colour = COLOURS[index % len(COLOURS)]
        plot.line(lines[label], colour, 3 if label in SEARCHES.values() else 1.5)
        plot.dots(lines[label], colour)
        legend.append((label, colour))
    plot.save(name, legend)
    write(f"![{x_label} against validation KL](images/{name})", "")


# MARK: The page

write(
    "# Experiments",
    "",
    "Written by `Scripts/experiments.sh page` from real runs on `Examples/prose-10m` (10 million parameters, 12 blocks);",
    "every number is read from a catalog through `evodb query` or `evodb compare`. The runs were made by",
    "`Scripts/experiments.sh PART`, each part less than 15 minutes on two idle cores; to repeat one, run that. The model",
    "is small and its text plain: these are checks of the engine, not claims about large models.",
    "",
    "Fitness is KL to the dense model, in nats per token, on the first 8,192 tokens of the calibration text (*calibration*);",
    "Hessians come from all of that text (23,552 tokens). *Validation* is 10,752 tokens that nothing was fitted to. ± is",
    "the paired standard error over sequences. EvoPress's search has 10 generations of 16 offspring, 512 tokens for all and",
    "all 8,192 for the best two; the paper's are ten times as long. Baselines that compare candidates do so on all 8,192",
    "tokens.",
    "",
    "`search --strategy guided` measures what each layer costs the dense model before it searches ([decision",
    "17](decisions/0017-a-search-that-measures-first.md)). Its searches evaluate fewer tokens than EvoPress's (second",
    "table); the short ones about 40,000.",
    "",
    "## Summary",
    "",
    "SUMMARY",
    "",
    "## 1. The searches against every baseline",
    "",
    "For each budget the median of three seeds by calibration KL is held against every baseline on validation data:",
    "differences above 0 mean that the search is better. A cell is **lost** where it is worse by more than one paired",
    "standard error; EvoPress is a baseline of the guided search, not the other way round.",
    "",
    "LOST",
    "",
    "### Bits",
    "")
for title, catalog, target in CELLS[:4]:
    table(title, catalog, target)
curve_plot("bits", "experiments-bits.svg", "bits per weight")
for _, _, target in CELLS[:4]:
    commands(f"bits-{target}")
    commands(f"guided-bits-{target}")
write("### Sparsity", "")
for title, catalog, target in CELLS[4:9]:
    table(title, catalog, target)
curve_plot("sparsity", "experiments-sparsity.svg", "sparsity, %")
for _, catalog, _ in CELLS[4:9]:
    commands(catalog)
    commands(f"guided-{catalog}")
write(
    "Levels lie at equal numbers of weights, as the paper's do, so that large layers reach little around the target; wide levels",
    "lie at equal shares of every layer.",
    "OWL's sparsities are mapped to the nearest built levels within the budget (seventeen levels a layer, steps of equal",
    "weights), and the best of its 20 settings is taken on the calibration set.",
    "",
    "### Blocks removed",
    "",
    "The searches remove attentions and MLPs independently, as many of each; scores of blocks, and brute force over all",
    "C(12, k) sets, remove whole blocks; greedy removes one subblock at a time.",
    "")
for title, catalog, target in CELLS[9:12]:
    table(title, catalog, target)
curve_plot("drops", "experiments-drops.svg", "blocks removed")
for _, _, target in CELLS[9:12]:
    commands(f"drops-{target}")
    commands(f"guided-drops-{target}")
write(
    "### A model of 135 million parameters",
    "",
    "SmolLM2-135M (Instruct, itself dequantized from Q4_1), far from its dense quality at these budgets: single layers say little",
    "about their sum. GPTQ of 2 to 5 bits; 8,192 tokens of WikiText-2 for Hessians and fitness, 4,096 for validation; all",
    "evaluations in bfloat16. EvoPress's search has 15 generations.",
    "")
for title, catalog, target in CELLS[12:]:
    table(title, catalog, target)
for _, _, target in CELLS[12:]:
    commands(f"smollm2-{target}")
    commands(f"guided-smollm2-{target}")
write("### Ten budgets from one sweep", "")
budgets()
write("### Beside the reference implementation", "")
reference()
place = out.index("SUMMARY")
out[place : place + 1] = summary()
place = out.index("LOST")
out[place : place + 1] = [
    f"- {SEARCHES[kind]}: of {roles['calibration'][0]} cells on the calibration set {roles['calibration'][1]} are lost; on"
    f" validation data {roles['validation'][1]} of {roles['validation'][0]}."
    for kind, roles in cells.items() if roles["calibration"][0]
] or ["No run of this part is there."]

write("## 2. Error monotonicity does not hold", "")
found = False
for catalog in ("bits", "drops"):
    if not os.path.exists(path(catalog)):
        continue
    rows = query(
        catalog,
        "SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY kind ORDER BY z_score DESC) AS place"
        " FROM monotonicity_violation WHERE data_set = 'calibration' AND measure = 'kl') WHERE place = 1 ORDER BY kind")
    for row in rows:
        found = True
        held = query(
            catalog,
            "SELECT difference, standard_error FROM paired_difference WHERE data_set = 'validation' AND measure = 'kl'"
            f" AND assignment_id = {row['lighter_assignment_id']} AND other_assignment_id = {row['heavier_assignment_id']}")
        share = 100 * row["violation_count"] / row["pair_count"]
        what = "the lower sum of layer errors" if row["kind"] == "layer-error" else "the strict subset of removed subblocks"
        write(
            f"- `{catalog}`: among {row['assignment_count']:,} assignments complete on the calibration set, {what} has the "
            f"worse KL in {row['violation_count']:,} of {row['pair_count']:,} pairs ({share:.1f} %).")
        unit = "Σ nmse" if row["kind"] == "layer-error" else "subblocks removed"
        line = (
            f"  The most certain: `{row['lighter_assignment'][:12]}` with {number(row['lighter_error'])} {unit} is worse "
            f"than `{row['heavier_assignment'][:12]}` with {number(row['heavier_error'])} by "
            f"{number(row['difference'], 3)} ± {number(row['standard_error'], 2)} "
            f"({row['z_score']:.1f} standard errors)")
        if held:
            line += (
                f"; on validation data by {number(held[0]['difference'], 3)} ± {number(held[0]['standard_error'], 2)}")
        write(line + ".")
if found:
    write("", "```sql", "SELECT * FROM monotonicity_violation ORDER BY z_score DESC LIMIT 5;", "```", "")
else:
    missing.append("error monotonicity")
    write("Not run.", "")
if os.path.exists(path("bits")):
    rows = query(
        "bits",
        "SELECT s.average_bits AS bits, e.value AS kl, (SELECT sum(l.nmse) FROM assignment_layer l"
        " WHERE l.assignment_id = e.assignment_id) AS error FROM evaluation_summary e JOIN assignment_summary s"
        " ON s.assignment_id = e.assignment_id WHERE e.data_set = 'calibration' AND e.measure = 'kl' AND e.value > 0")
    groups = {}
    for row in rows:
        key = {2.25: "2.25 bits", 2.5: "2.5 bits", 3.0: "3 bits", 4.0: "4 bits"}.get(round(row["bits"], 2))
        if key and row["error"] is not None:
            groups.setdefault(key, []).append((row["error"], row["kl"]))
    if groups:
        plot = Plot("sum of the layers' errors (nmse)", "calibration KL, nats", [p for g in groups.values() for p in g], True)
        legend = []
        for index, key in enumerate(sorted(groups)):
            plot.dots(groups[key], COLOURS[index], 2.5, 0.6)
            legend.append((key, COLOURS[index]))
        plot.save("experiments-monotonicity.svg", legend)
        write(
            "Every assignment of `bits` that is complete on the calibration set: at one size, less layer error is often no better",
            "a model.",
            "",
            "![Sum of layer errors against KL](images/experiments-monotonicity.svg)",
            "")

write(
    "## 3. Convergence",
    "",
    "Brute force knows the best k of 12 blocks to remove. Searches over whole blocks with one switch a child, fitness on",
    "the whole calibration set and a random start reach it in these generations, over 10 seeds:",
    "")
if any(name.startswith("converge-") for name in runs("drops")):
    write("| k | offspring | reached | mean | median | most | (π²/6)·k(n−k)/λ |", "|---:|---:|---:|---:|---:|---:|---:|")
    for count in (2, 3, 4):
        for offspring in (1, 8):
            rows = query(
                "drops",
                "SELECT p.run, min(p.generation) AS generation FROM run_progress p JOIN run_summary b ON b.run ="
                f" 'brute-force-{count}' WHERE p.run GLOB 'converge-{count}-{offspring}-*'"
                " AND p.parent_assignment = b.found_assignment GROUP BY p.run")
            total = sum(name.startswith(f"converge-{count}-{offspring}-") for name in runs("drops"))
            if not total:
                continue
            values = [row["generation"] for row in rows]
            bound = math.pi**2 / 6 * count * (12 - count) / offspring
            stats = f"{statistics.mean(values):.1f} | {statistics.median(values):g} | {max(values)}" if values else "| |"
            write(f"| {count} | {offspring} | {len(values)} of {total} | {stats} | {bound:.1f} |")
    write(
        "",
        "The bound is proved for linear fitness and one offspring (E[T] ≤ (π²/6)·k(n−k)), for λ offspring the paper claims",
        "O(k(n−k)/λ); a model's fitness is not linear, so a search can also end in a local optimum, which one switch cannot",
        "leave. On synthetic linear fitness the bound is tested (`EvolutionTheoryTests`).",
        "")
    commands("convergence")
else:
    missing.append("convergence")
    write("Not run.", "")

write(
    "## 4. Ablations",
    "",
    "One setting changed at a time at 2.5 bits: `search-2.5-0` has 10 generations, 16 offspring, 3 switches at most, 512",
    "tokens in the first stage, KL and seed 0. One seed each: the three seeds above show how much chance there is.",
    "")
kl = fitness("bits") if os.path.exists(path("bits")) else "kl"
perplexity = "perplexity" + kl.removeprefix("kl")
ablation = f"""SELECT s.run, f.value AS kl, f.standard_error, v.value AS validation_kl, p.value AS validation_perplexity,
  (SELECT sum(c.token_count) FROM candidate_result c WHERE c.run = s.run) AS tokens
FROM run_summary s
JOIN run_result f ON f.run = s.run AND f.point = 'found' AND f.measure = '{kl}' AND f.data_set_role = 'calibration'
JOIN run_result v ON v.run = s.run AND v.point = 'found' AND v.measure = '{kl}' AND v.data_set_role = 'validation'
JOIN run_result p ON p.run = s.run AND p.point = 'found' AND p.measure = '{perplexity}' AND p.data_set_role = 'validation'
WHERE s.run = 'search-2.5-0' OR s.run GLOB 'switches-*' OR s.run GLOB 'offspring-*' OR s.run GLOB 'first-stage-*'
ORDER BY s.run DESC"""
rows = query("bits", ablation) if os.path.exists(path("bits")) else []
if rows:
    write("```sql", ablation + ";", "```", "")
    write("| run | calibration KL | ± | validation KL | validation perplexity | tokens of all candidates |")
    write("|---|---:|---:|---:|---:|---:|")
    for row in rows:
        write(
            f"| {row['run']} | {number(row['kl'])} | {number(row['standard_error'], 2)} | {number(row['validation_kl'])} | "
            f"{number(row['validation_perplexity'], 5)} | {row['tokens']:,} |")
    write("")
    other = [name for name in runs("bits") if name == "measure-perplexity"]
    base = [name for name in runs("bits") if name == "search-2.5-0"]
    if other and base:
        both = query(
            "bits",
            "SELECT run, data_set_role AS role, value FROM run_result WHERE point = 'found'"
            f" AND measure = '{perplexity}' AND run IN ('search-2.5-0', 'measure-perplexity') ORDER BY run, role")
        values = {(row["run"], row["role"]): row["value"] for row in both}
        write(
            "Fitness by KL (`search-2.5-0`) against fitness by perplexity (`measure-perplexity`), both judged by perplexity:",
            "",
            "| fitness | calibration perplexity | validation perplexity |",
            "|---|---:|---:|")
        for run, label in (("search-2.5-0", "KL"), ("measure-perplexity", "perplexity")):
            write(
                f"| {label} | {number(values[run, 'calibration'], 5)} | {number(values[run, 'validation'], 5)} |")
        write("")
    commands("ablations")
else:
    missing.append("ablations")
    write("Not run.", "")

if missing:
    write("## Not run", "", "These parts are not in the catalogs that this page was written from: " + "; ".join(missing) + ".", "")
with open(os.path.join(docs, "experiments.md"), "w") as file:
    file.write("\n".join(out).rstrip() + "\n")
print(os.path.join(docs, "experiments.md"))
