#!/usr/bin/env python3
"""Writes docs/experiments.md and its plots from the catalogs that Scripts/experiments.sh made.

usage: experiments-page.py FOLDER DOCS_FOLDER      (EVODB names the program; Python's standard library only)

Every number is read from a catalog through `evodb query` or `evodb compare`; a part that was not run is left out, and
the page says so.
"""

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


# MARK: EvoPress against the baselines


def compare(catalog, first, others, data):
    text = evodb("compare", path(catalog), first, *others, "--data", data, "--format", "jsonl")
    rows = {}
    for line in text.splitlines():
        row = json.loads(line)
        rows.setdefault(row["run"], {})[row["measure"]] = row
    return rows


cells = {"all": 0, "lost": 0, "held": 0, "held_lost": 0}
curves = {}


def table(title, catalog, target):
    """One budget: the median search of three seeds against every baseline."""
    names = [name for name in runs(catalog) if name.endswith(f"-{target}") or f"-{target}-" in name]
    searches = [name for name in names if name.startswith(f"search-{target}-")]
    others = [name for name in names if not name.startswith(("search-", "converge-")) and name.endswith(f"-{target}")]
    if not searches or not others:
        missing.append(title)
        return
    values = query(
        catalog,
        "SELECT run, value FROM run_result WHERE point = 'found' AND measure = 'kl' AND data_set_role = 'calibration'"
        f" AND run GLOB 'search-{target}-*' ORDER BY value, run")
    median = values[(len(values) - 1) // 2]["run"]
    calibration = compare(catalog, median, others, "calibration")
    validation = compare(catalog, median, others, "validation")
    seeds = ", ".join(number(row["value"]) for row in values)
    write(f"**{title}.** KL of the {len(values)} searches on the calibration set: {seeds}; the median is compared.", "")
    write("| | calibration KL | − EvoPress | ± | | validation KL | − EvoPress | ± | | validation perplexity |")
    write("|---|---:|---:|---:|---|---:|---:|---:|---|---:|")
    for name in [median] + sorted(others, key=lambda n: calibration[n].get("kl", {}).get("value") or math.inf):
        row, held = calibration[name].get("kl"), validation[name].get("kl")
        label = "**EvoPress**" if name == median else name[: -len(f"-{target}")]
        marks = []
        for part, values_of in (("", row), ("held_", held)):
            mark = ""
            if name != median and values_of:
                lost = values_of["difference"] < -values_of["difference_standard_error"]
                cells[part + "lost" if part else "lost"] += lost
                cells["held" if part else "all"] += 1
                mark = "**lost**" if lost else ""
            marks.append(mark)
        write(
            f"| {label} | {number(row['value'])} | {number(row['difference'], 3)} | "
            f"{number(row['difference_standard_error'], 2)} | {marks[0]} | {number(held['value'])} | "
            f"{number(held['difference'], 3)} | {number(held['difference_standard_error'], 2)} | {marks[1]} | "
            f"{number(validation[name]['perplexity']['value'], 5)} |")
        curves.setdefault(catalog.split("-")[0], {}).setdefault("EvoPress" if name == median else label, []).append(
            (float(target), held["value"]))
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

COLOURS = ["#1b6ca8", "#d1495b", "#2e933c", "#8c5e15", "#7a4aa0", "#444444", "#e08e00", "#008b8b", "#b8336a", "#5f7f00", "#9aa5b1"]


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
    order = sorted(lines, key=lambda label: (label != "EvoPress", label))
    plot = Plot(x_label, "validation KL, nats", [p for points in lines.values() for p in points], log_y=True)
    legend = []
    for index, label in enumerate(order):
        colour = COLOURS[index % len(COLOURS)]
        plot.line(lines[label], colour, 3 if label == "EvoPress" else 1.5)
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
    "the paired standard error over sequences. A search has 10 generations of 16 offspring, 512 tokens for all and all",
    "8,192 for the best two; the paper's are ten times as long. Baselines that compare candidates do so on all 8,192 tokens.",
    "",
    "## 1. EvoPress against every baseline",
    "",
    "For each budget the median of three seeds is held against every baseline: differences above 0 mean that EvoPress is",
    "better. A cell is **lost** where EvoPress is worse by more than one paired standard error.",
    "",
    "SUMMARY",
    "",
    "### Bits",
    "")
for target in ("2.25", "2.5", "3", "4"):
    table(f"{target} bits", "bits", target)
curve_plot("bits", "experiments-bits.svg", "bits per weight")
for target in ("2.25", "2.5", "3", "4"):
    commands(f"bits-{target}")
write("### Sparsity", "")
for target in ("50", "60", "70"):
    table(f"{target} % sparsity", f"sparsity-{target}", target)
curve_plot("sparsity", "experiments-sparsity.svg", "sparsity, %")
for target in ("50", "60", "70"):
    commands(f"sparsity-{target}")
write(
    "OWL's sparsities are mapped to the nearest built levels within the budget (seventeen levels a layer, steps of equal",
    "weights), and the best of its 20 settings is taken on the calibration set.",
    "",
    "### Blocks removed",
    "",
    "The search removes attentions and MLPs independently, as many of each; scores of blocks, and brute force over all",
    "C(12, k) sets, remove whole blocks; greedy removes one subblock at a time.",
    "")
for target in ("2", "3", "4"):
    table(f"{target} of 12 blocks", "drops", target)
curve_plot("drops", "experiments-drops.svg", "blocks removed")
for target in ("2", "3", "4"):
    commands(f"drops-{target}")
write("### Beside the reference implementation", "")
reference()
place = out.index("SUMMARY")
if cells["all"]:
    out[place] = (
        f"Of {cells['all']} cells on the calibration set {cells['lost']} are lost; on validation data {cells['held_lost']} of "
        f"{cells['held']}.")
else:
    out[place] = "No run of this part is there."

write("## 2. Error monotonicity does not hold", "")
found = False
for catalog in ("bits", "drops"):
    if not os.path.exists(path(catalog)):
        continue
    rows = query(
        catalog,
        "SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY kind ORDER BY standard_errors DESC) AS place"
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
            f"({row['standard_errors']:.1f} standard errors)")
        if held:
            line += (
                f"; on validation data by {number(held[0]['difference'], 3)} ± {number(held[0]['standard_error'], 2)}")
        write(line + ".")
if found:
    write("", "```sql", "SELECT * FROM monotonicity_violation ORDER BY standard_errors DESC LIMIT 5;", "```", "")
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
ablation = """SELECT s.run, f.value AS kl, f.standard_error, v.value AS validation_kl, p.value AS validation_perplexity,
  (SELECT sum(c.token_count) FROM candidate_result c WHERE c.run = s.run) AS tokens
FROM run_summary s
JOIN run_result f ON f.run = s.run AND f.point = 'found' AND f.measure = 'kl' AND f.data_set_role = 'calibration'
JOIN run_result v ON v.run = s.run AND v.point = 'found' AND v.measure = 'kl' AND v.data_set_role = 'validation'
JOIN run_result p ON p.run = s.run AND p.point = 'found' AND p.measure = 'perplexity' AND p.data_set_role = 'validation'
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
            "SELECT run, data_set_role AS role, value FROM run_result WHERE point = 'found' AND measure = 'perplexity'"
            " AND run IN ('search-2.5-0', 'measure-perplexity') ORDER BY run, role")
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
