"use strict";
/* What all parts of the page need: elements, links, figures, tables, data to save. */
const report = (() => {
  const text = (id) => JSON.parse(document.getElementById(id).textContent);
  const make = (tag, attributes = {}, ...children) => {
    const node = Object.assign(document.createElement(tag), attributes);
    node.append(...children);
    return node;
  };
  const hash = (keys) => "#" + Object.entries(keys)
    .filter(([, value]) => value !== null && value !== undefined && value !== "")
    .map(([key, value]) => `${key}=${encodeURIComponent(value)}`).join("&");
  const link = (keys, words, title = "") => make("a", { href: hash(keys), title }, words);

  /* Data to save */
  const plain = (value) => {
    if (value === null || value === undefined) return "";
    const words = typeof value === "string" && /^[=+\-@\t\r\n]/.test(value) ? "'" + value : String(value);
    return /[",\r\n]/.test(words) ? `"${words.replaceAll('"', '""')}"` : words;
  };
  const csv = (columns, rows) =>
    [columns, ...rows].map((row) => row.map(plain).join(",")).join("\n") + "\n";
  const save = (name, content) => {
    const address = URL.createObjectURL(new Blob([content], { type: "text/csv" }));
    make("a", { href: address, download: name + ".csv" }).click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  };
  const saving = (name, content) => make("button", {
    type: "button", className: "save", title: "save the data as CSV",
    onclick: () => save(name, content()) }, "save data");
  const LOOK = ["href", "color", "width", "size", "shape", "out", "x", "y", "x2", "y2", "tip"];
  const records = (rows) => {
    const columns = [...new Set(rows.flatMap(Object.keys))].filter((key) => !LOOK.includes(key));
    return csv(columns, rows.map((row) => columns.map((key) => row[key])));
  };
  const held = (spec) => [spec, ...(spec.layer || [])]
    .flatMap((part) => (part.data && part.data.values) || []).filter((row) => !("limit" in row));

  /* Figures */
  const CONFIG = {
    background: "transparent", view: { stroke: null },
    axis: { labelFontSize: 12, titleFontSize: 12, titleFontWeight: 500, titlePadding: 8,
            domain: false, ticks: false, labelPadding: 6, labelLimit: 220,
            labelOverlap: "greedy", labelSeparation: 8 },
    axisX: { tickCount: 8 }, axisY: { tickCount: 5 },
    legend: { labelFontSize: 12, symbolType: "square", orient: "top", labelLimit: 220 },
  };
  /* On a canvas the page's style sheet doesn't reach. */
  const config = () => {
    const style = getComputedStyle(document.body), colour = (name) => style.getPropertyValue("--" + name).trim();
    const text = { labelColor: colour("soft"), titleColor: colour("ink") };
    return { ...CONFIG, font: style.fontFamily, axis: { ...CONFIG.axis, ...text, gridColor: colour("line") },
             legend: { ...CONFIG.legend, ...text } };
  };
  const embed = (place, spec, renderer) => vegaEmbed(place, spec, {
    actions: false, renderer, tooltip: { theme: "page" }, loader: { target: "_self" },
    config: config(),
  }).catch((error) => {
    place.textContent = "This figure can't be drawn here: " + error.message;
    throw error;
  });
  const draw = (place, name, spec) => {
    const found = held(spec);
    const caption = place.parentElement.querySelector("figcaption");
    if (caption) caption.append(" ", saving(name, () => records(found)));
    return embed(place, spec, found.length > 3000 ? "canvas" : "svg").then((drawn) => { report.keys(place); return drawn; });
  };

  /* Tables */
  const PAGE = 25, FEW = 10;
  const shown = (value, column) => {
    if (value === null || value === undefined || value === "") return "–";
    if (column.digits === undefined) return String(value);
    return value.toLocaleString("en", {
      minimumFractionDigits: column.digits, maximumFractionDigits: column.digits });
  };
  const test = (query, column) => {
    const words = query.trim();
    const bound = /^(<=|>=|<|>|=)\s*(-?[\d.]+(?:e-?\d+)?)$/.exec(words);
    if (bound && column.digits !== undefined) {
      const [, sign, limit] = bound;
      const compare = { "<": (v) => v < +limit, ">": (v) => v > +limit, "=": (v) => v === +limit,
        "<=": (v) => v <= +limit, ">=": (v) => v >= +limit }[sign];
      return (value) => value !== null && compare(value);
    }
    const part = words.toLowerCase();
    return (value) => value !== null && String(value).toLowerCase().includes(part);
  };

  class Table {
    constructor(place, { columns, rows, difference }, name) {
      Object.assign(this, { place, columns, rows, difference, name, page: 0, sort: null, falling: false });
      /* What answers comes before the map, and is kept short. */
      this.most = place.closest("#answer, #against") ? FEW : PAGE;
      this.queries = columns.map(() => "");
      this.heads = columns.map((column, n) => {
        const button = make("button", { type: "button", title: column.meaning || "" }, column.title);
        button.onclick = () => this.order(n);
        return make("th", { scope: "col", className: column.digits === undefined ? "" : "number" }, button);
      });
      const filters = columns.map((column, n) => {
        const input = make("input", {
          type: "search", placeholder: column.digits === undefined ? "contains" : "> 0",
          ariaLabel: "filter " + column.title });
        input.oninput = () => { this.queries[n] = input.value; this.page = 0; this.select(); };
        return make("td", {}, input);
      });
      this.body = make("tbody");
      this.count = make("span", { className: "count" });
      this.back = make("button", { type: "button", onclick: () => this.turn(-1) }, "‹ previous");
      this.next = make("button", { type: "button", onclick: () => this.turn(1) }, "next ›");
      const head = make("thead", {}, make("tr", {}, ...this.heads), make("tr", { className: "filters" }, ...filters));
      const data = () => csv(columns.map((column) => column.key), this.found.map((row) => row.slice(0, columns.length)));
      place.append(
        make("div", { className: "scroll", tabIndex: 0 }, make("table", {}, head, this.body)),
        make("div", { className: "pager" }, this.count, this.back, this.next, saving(name, data)));
      this.inputs = filters.map((cell) => cell.firstChild);
      this.select();
    }
    order(n) {
      this.falling = this.sort === n ? !this.falling : this.columns[n].digits !== undefined;
      this.sort = n;
      this.page = 0;
      this.heads.forEach((head, m) => {
        if (m === n) head.ariaSort = this.falling ? "descending" : "ascending";
        else head.removeAttribute("aria-sort");
      });
      this.select();
    }
    select() {
      const asked = this.queries.flatMap((query, n) => query.trim() ? [[n, test(query, this.columns[n])]] : []);
      this.found = this.rows.filter((row) => asked.every(([n, holds]) => holds(row[n])));
      if (this.sort !== null) {
        const n = this.sort, sign = this.falling ? -1 : 1;
        const missing = (v) => v === null || v === undefined;
        this.found.sort((a, b) => {
          const [x, y] = [a[n], b[n]];
          if (missing(x) || missing(y)) return missing(x) - missing(y);
          return sign * (typeof x === "number" ? x - y : String(x).localeCompare(String(y), "en", { numeric: true }));
        });
      }
      this.show();
    }
    show() {
      const start = this.page * this.most, end = Math.min(start + this.most, this.found.length);
      this.body.replaceChildren(...this.found.slice(start, end).map((row) => this.line(row)));
      const of = this.found.length === this.rows.length ? "" : ` (of ${this.rows.length.toLocaleString("en")})`;
      this.count.textContent = this.found.length
        ? `${(start + 1).toLocaleString("en")}–${end.toLocaleString("en")} of ${this.found.length.toLocaleString("en")}${of}`
        : `no row matches${of}`;
      this.back.disabled = start === 0;
      this.next.disabled = end === this.found.length;
      this.back.hidden = this.next.hidden = this.rows.length <= this.most;
    }
    value(row, key) {
      const n = this.columns.findIndex((column) => column.key === key);
      return n < 0 ? null : row[n];
    }
    target(row, column, value) {
      const grid = this.value(row, "grid"), { difference } = this;
      const from = column.key.replace(/(scenario|snapshot|contingency)$/, "");
      const scenario = this.value(row, from + "scenario") ?? this.value(row, "scenario");
      const snapshot = this.value(row, from + "snapshot") ?? (from === "max_loading_" ? null : this.value(row, "snapshot"));
      switch (column.kind) {
        case "scenario":
          if (this.name === "scenarios") return { scenario: value };
          return { state: value, snapshot: this.value(row, from + "snapshot"),
                   contingency: from === "" ? this.value(row, "contingency") : null, difference };
        case "snapshot": return scenario && { state: scenario, snapshot: value, difference };
        case "contingency": return scenario && { state: scenario, snapshot, contingency: value, difference };
        case "element": return String(value).includes(":") ? { element: value, grid, of: scenario } : null;
        case "bus": return { element: "bus:" + value, grid, of: scenario };
        case "id": {
          const kind = this.value(row, "element") || (this.name === "prices" && "bus");
          return kind && { element: `${kind}:${value}`, grid, of: scenario };
        }
        default: return null;
      }
    }
    line(row) {
      return make("tr", {}, ...this.columns.map((column, n) => {
        const value = shown(row[n], column);
        const cell = make("td", { className: column.digits === undefined ? "" : "number" });
        const target = value === "–" ? null : this.target(row, column, row[n]);
        if (n === 0 && this.name === "scenarios") cell.id = "s-" + row[n];
        if (target) cell.append(link(target, value));
        else if (column.kind === "status") {
          cell.append(make("span", { className: "status " + row[n] }, value.replace("_", " ")));
        } else cell.append(value);
        return cell;
      }));
    }
    turn(by) { this.page += by; this.show(); }
    reveal(scenario) {
      const there = () => this.found.findIndex((row) => row[0] === scenario);
      if (there() < 0) {
        this.queries.fill("");
        this.inputs.forEach((input) => { input.value = ""; });
        this.select();
      }
      if (there() < 0) return;
      this.page = Math.floor(there() / this.most);
      this.show();
      const row = document.getElementById("s-" + scenario).parentElement;
      row.classList.add("marked");
      row.scrollIntoView({ block: "center" });
    }
  }
  return { text, make, hash, link, csv, save, saving, records, embed, draw, shown, Table, tables: {} };
})();
