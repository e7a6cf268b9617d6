/* A page within the page, of an element or a scenario: facts, figures, tables. */
report.Own = class {
  constructor(title, lead = "") {
    const { make } = report;
    this.place = document.getElementById("own");
    this.place.replaceChildren(
      make("p", { className: "back" }, make("a", { href: "#", onclick: (event) => {
        event.preventDefault();
        report.leave();
      } }, "‹ the whole report")),
      make("h2", { tabIndex: -1 }, title));
    if (lead) this.place.append(make("p", { className: "lead" }, lead));
    this.place.hidden = false;
    document.body.classList.add("in-own");
    window.scrollTo(0, 0);
    this.place.querySelector("h2").focus({ preventScroll: true });
  }
  say(...parts) {
    this.place.append(report.make("p", {}, ...parts));
  }
  facts(pairs) {
    const { make } = report;
    const rows = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "–").map(([name, value]) =>
      make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, ...(Array.isArray(value) ? value : [value]))));
    this.place.append(make("div", { className: "facts" }, make("table", {}, make("tbody", {}, ...rows))));
  }
  figure(title, name, caption, spec) {
    const { make } = report;
    const place = make("div", { role: "img", ariaLabel: caption });
    place.dataset.figure = name;
    this.place.append(make("h3", {}, title), make("figure", {}, place, make("figcaption", {}, caption)));
    return report.draw(place, name, { $schema: "https://vega.github.io/schema/vega-lite/v6.json",
      width: "container", height: 220, ...spec });
  }
  table(title, name, columns, rows) {
    if (!rows.length) return;
    const place = report.make("div");
    place.dataset.table = name;
    this.place.append(report.make("h3", {}, title), place);
    new report.Table(place, { columns, rows }, name);
  }
};
report.leave = () => {
  const own = document.getElementById("own");
  if (own.hidden) return;
  own.hidden = true;
  own.replaceChildren();
  document.body.classList.remove("in-own");
  if (/^#(element|scenario)=/.test(location.hash)) history.pushState(null, "", location.pathname + location.search);
  window.scrollTo(0, report.left || 0);
};
report.COLOURS = report.text("colours");
report.column = (key, title, digits) =>
  ({ key, title, kind: key, ...(digits === undefined ? {} : { digits }) });
/* How a share of the states was chosen. */
report.chosen = (grid) => {
  const count = grid.even().length.toLocaleString("en"), total = grid.total.toLocaleString("en");
  return grid.complete ? `Of all ${total} states.` : `Of ${count} of ${total} states, evenly chosen.`;
};
report.curve = (values, title) => {
  const sorted = values.filter((value) => value !== null).sort((a, b) => b - a);
  const places = [...new Set(Array.from({ length: Math.min(400, sorted.length) }, (_, n) =>
    Math.round(n * (sorted.length - 1) / Math.max(1, Math.min(400, sorted.length) - 1))))];
  return {
    data: { values: places.map((n) => ({ share: +(100 * (n + 0.5) / sorted.length).toPrecision(5), value: sorted[n] })) },
    mark: { type: "line", color: report.COLOURS[0], strokeWidth: 2, point: { size: 14 } },
    encoding: {
      x: { field: "share", type: "quantitative", title: "share of states (%)", scale: { domain: [0, 100] } },
      y: { field: "value", type: "quantitative", title, scale: { zero: false } },
      tooltip: [{ field: "share", title: "share (%)", format: ".1f", type: "quantitative" },
                { field: "value", title, format: ".5~g", type: "quantitative" }],
    },
  };
};
report.bins = (values, title) => ({
  data: { values: values.filter((value) => value !== null).map((value) => ({ value })) },
  mark: { type: "bar", color: report.COLOURS[0], binSpacing: 1 },
  encoding: {
    x: { field: "value", type: "quantitative", bin: { maxbins: 30 }, title, scale: { zero: false } },
    y: { aggregate: "count", title: "states" },
    tooltip: [{ field: "value", bin: { maxbins: 30 }, title }, { aggregate: "count", title: "states" }],
  },
});
/* An axis of snapshots: their names, or their numbers if there are many. */
report.snapshots = (places) => places.length > 400
  ? { field: "place", type: "quantitative", title: "snapshots shown, in their order", axis: { tickMinStep: 1, format: "d" }, scale: { nice: false } }
  : { field: "snapshot", type: "ordinal", sort: { field: "place" }, title: null, axis: { labelOverlap: true, labelAngle: 0 } };
/* Values of the snapshots of a scenario in their order; a click goes to the map. */
report.course = (grid, places, values, title) => ({
  data: { values: places.map((at, n) => ({ place: n + 1, value: values[n], ...grid.keysOf(at), href: report.hash(grid.keysOf(at)) })) },
  mark: { type: "line", color: report.COLOURS[0], ...(places.length > 400 ? { strokeWidth: 0.7, point: { size: 5 } } : { strokeWidth: 2, point: { size: 16 } }), cursor: "pointer" },
  encoding: {
    x: report.snapshots(places),
    y: { field: "value", type: "quantitative", title, scale: { zero: false } },
    href: { field: "href" },
    tooltip: [{ field: "snapshot" }, { field: "value", title, format: ".5~g", type: "quantitative" }],
  },
});
