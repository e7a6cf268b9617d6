"use strict";
(() => {
  const text = (id) => JSON.parse(document.getElementById(id).textContent);
  const make = (tag, attributes = {}, ...children) => {
    const node = Object.assign(document.createElement(tag), attributes);
    node.append(...children);
    return node;
  };

  /* Figures */
  const drawn = [];
  for (const place of document.querySelectorAll("[data-figure]")) {
    const spec = text("figure-" + place.dataset.figure);
    const marks = (spec.layer || []).concat([spec]).reduce(
      (sum, part) => sum + ((part.data && part.data.values) || []).length, 0);
    const config = {
      background: "transparent", font: getComputedStyle(document.body).fontFamily,
      view: { stroke: null },
      axis: { labelFontSize: 12, titleFontSize: 12, titleFontWeight: 500, titlePadding: 8,
              domain: false, ticks: false, labelPadding: 6, labelLimit: 220,
              labelOverlap: "greedy", labelSeparation: 8 },
      axisX: { tickCount: 8 }, axisY: { tickCount: 5 },
      legend: { labelFontSize: 12, symbolType: "square", orient: "top", labelLimit: 220 },
    };
    drawn.push(vegaEmbed(place, spec, {
      actions: false, config, renderer: marks > 3000 ? "canvas" : "svg",
      tooltip: { theme: "page" }, loader: { target: "_self" },
    }).catch((error) => {
      place.textContent = "This figure can't be drawn here: " + error.message;
      throw error;
    }));
  }

  /* Tables */
  const PAGE = 25;
  const tables = {};
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
    constructor(place, { columns, rows, files }) {
      Object.assign(this, { place, columns, rows, files, page: 0, sort: null, falling: false });
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
      place.append(
        make("div", { className: "scroll", tabIndex: 0 }, make("table", {}, head, this.body)),
        make("div", { className: "pager" }, this.count, this.back, this.next));
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
      const start = this.page * PAGE, end = Math.min(start + PAGE, this.found.length);
      this.body.replaceChildren(...this.found.slice(start, end).map((row) => this.line(row)));
      const of = this.found.length === this.rows.length ? "" : ` (of ${this.rows.length.toLocaleString("en")})`;
      this.count.textContent = this.found.length
        ? `${(start + 1).toLocaleString("en")}–${end.toLocaleString("en")} of ${this.found.length.toLocaleString("en")}${of}`
        : `no row matches${of}`;
      this.back.disabled = start === 0;
      this.next.disabled = end === this.found.length;
      this.back.hidden = this.next.hidden = this.rows.length <= PAGE;
    }
    line(row) {
      return make("tr", {}, ...this.columns.map((column, n) => {
        const value = shown(row[n], column);
        const cell = make("td", { className: column.digits === undefined ? "" : "number" });
        if (column.kind === "scenario" && row[n] !== null) {
          if (this.files && n === 0) {
            cell.id = "s-" + row[n];
            cell.append(row[this.files] === null ? value
              : make("a", { href: `../job_${encodeURIComponent(row[n])}/result.parquet`, title: "its result file" }, value));
          } else cell.append(make("a", { href: "#s-" + row[n] }, value));
        } else if (column.kind === "status") {
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
      this.page = Math.floor(there() / PAGE);
      this.show();
      const row = document.getElementById("s-" + scenario).parentElement;
      row.classList.add("marked");
      row.scrollIntoView({ block: "center" });
    }
  }

  for (const place of document.querySelectorAll("[data-table]")) {
    tables[place.dataset.table] = new Table(place, text("table-" + place.dataset.table));
  }
  const follow = () => {
    const name = decodeURIComponent(location.hash);
    if (name.startsWith("#s-") && tables.scenarios) tables.scenarios.reveal(name.slice(3));
  };
  window.addEventListener("hashchange", follow);
  Promise.allSettled(drawn).then(() => {
    follow();
    document.documentElement.dataset.ready = "yes";
  });
})();
