/* The page of a scenario: its figures over snapshots, violations, dispatch, prices. */
report.scenarioPage = (scenario) => {
  const { link, column, make } = report;
  const table = report.tables.scenarios, row = table.rows.find((one) => one[0] === scenario);
  const grid = report.grids.find((one) => one.scenarios.includes(scenario)), places = grid ? grid.statesOf(scenario) : [];
  const about = grid ? (name) => grid[name] && grid[name][grid.scenarios.indexOf(scenario)] : () => null;
  const own = new report.Own(scenario, about("descriptions") || "");
  if (!row && !places.length) return own.say("This page doesn't list it: it holds the scenarios with the highest loading.");
  const cell = (column, n) => {
    const value = report.shown(row[n], column), target = value === "–" ? null : table.target(row, column, row[n]);
    return [column.title, target && column.kind !== "scenario" ? link(target, value) : value];
  };
  own.facts([
    ...(row ? table.columns.map(cell).slice(1) : report.figuresOf(grid, places)),
    ["metadata", about("metadata")],
    ["on the map", places.length ? link({ state: scenario }, places.length > 1 ? "its worst snapshot shown" : "show it") : null],
    ...(places.length ? grid.differences.filter((one) => one.batch).map((one) =>
      [`against ${one.reference}`, link({ state: scenario, difference: one.name }, "difference on the map")]) : []),
    ["all rows", row && row[table.columns.length] !== null ? make("a", { href: `../job_${encodeURIComponent(scenario)}/result.parquet` }, "its result file") : null],
  ]);
  if (!places.length) return own.say("None of its states is among those that this page holds; its result file has all of them.");
  report.violationsOf(own, grid, scenario, places);
  const note = "A click on a point shows that snapshot on the map.";
  if (places.length > 1) {
    for (const [name, title, heading] of [["max_loading_percent", "worst loading (%)", "Worst loading"], ["load_mw", "load supplied (MW)", "Load"],
      ["min_vm_pu", "lowest voltage (p.u.)", "Lowest voltage"], ["loss_mw", "losses (MW)", "Losses"], ["objective", "cost", "Cost"]]) {
      const values = grid.states[name] && places.map((at) => grid.states[name][at]);
      const told = (values || []).filter((value) => value !== null), most = Math.max(...told);
      /* What never changes is told above. */
      if (most - Math.min(...told) > 1e-6 * Math.abs(most)) own.figure(heading, "scenario_" + name, note, report.course(grid, places, values, title));
    }
  }
  report.dispatchOf(own, grid, places);
  report.pricesOf(own, grid, places);
  const ranking = grid.contingencies;
  own.table("Its contingencies, of those ranked", "scenario_contingencies",
    [column("contingency", "contingency"), column("scenario", "scenario"), column("snapshot", "snapshot"), column("status", "status"),
     column("loading", "worst loading (%)", 1), column("broken", "limits broken", 0)],
    grid.ranked(scenario).map((k) => [ranking.contingency[k], scenario, ranking.snapshot[k] < 0 ? null : grid.snapshots[ranking.snapshot[k]],
      ranking.status[k], ranking.loading[k], grid.violations(k).size]));
};

/* System figures of a scenario that isn't in the table: of its worst state that is shown. */
report.figuresOf = (grid, places) => {
  const loading = grid.states.max_loading_percent || [], told = ["status", "load_mw", "loss_mw", "unserved_mw", "objective", "max_loading_percent", "max_loading_element", "min_vm_pu", "min_vm_bus", "max_vm_pu", "max_vm_bus"];
  const at = places.reduce((best, one) => (best < 0 || loading[one] > loading[best] ? one : best), -1);
  return told.map((name) => [name.replaceAll("_", " "), at < 0 || !grid.states[name] || grid.states[name][at] === null ? null : String(grid.states[name][at])]);
};

/* Elements that break a limit in its states, each with its worst value. */
report.violationsOf = (own, grid, scenario, places) => {
  const { column } = report, found = [], [low, high] = grid.band;
  const look = (kind, quantity, beyond) => {
    const block = grid.block(kind, quantity);
    if (!block) return;
    for (let n = 0; n < block.width; n += 1) {
      let count = 0, worst = 0, where = -1, value = null;
      for (const at of places) {
        const number = block.numbers[at * block.width + n];
        if (number === 65535) continue;
        const far = beyond(block.low + number * block.step);
        if (far > 1e-9) count += 1;
        if (far > worst) [worst, where, value] = [far, at, grid.value(kind, quantity, at, n)];
      }
      if (count) found.push([kind, grid.elements[kind].id[n], quantity === "vm_pu" ? "p.u." : "%", value, scenario, grid.keysOf(where).snapshot, count, worst]);
    }
  };
  for (const kind of ["line", "trafo", "trafo3w"]) look(kind, "loading_percent", (value) => value / grid.limit - 1);
  if (grid.hasVoltages(scenario)) look("bus", "vm_pu", (value) => Math.max(low - value, value - high));
  found.sort((a, b) => b[7] - a[7]);
  own.table("Limits broken", "scenario_violations",
    [column("element", "element"), column("id", "id"), column("unit", "unit"), column("worst", "worst", 3), column("scenario", "scenario"), column("snapshot", "in snapshot"), column("states", "states", 0)],
    found.map((row) => row.slice(0, 7)));
};

/* What units give, the largest ones by name. */
report.dispatchOf = (own, grid, places) => {
  const units = ["gen", "ext_grid", "sgen", "storage"].flatMap((kind) => grid.block(kind, "p_mw") === null ? []
    : grid.elements[kind].id.map((id, n) => ({ unit: `${kind} ${id}`, values: grid.series(kind, "p_mw", n, places) })));
  const size = ({ values }) => Math.max(...values.map((value) => Math.abs(value || 0)));
  const known = units.filter((unit) => size(unit) > 1e-6).sort((a, b) => size(b) - size(a));
  if (!known.length) return;
  const power = (title) => ({ field: "power", type: "quantitative", title });
  if (places.length === 1) {
    const most = known.slice(0, 25);
    own.figure("Dispatch", "scenario_dispatch", known.length > 25 ? `The 25 largest of ${known.length} units.` : "", {
      height: 20 * most.length, data: { values: most.map(({ unit, values }) => ({ unit, power: values[0] })) },
      mark: { type: "bar", color: report.COLOURS[0], height: 12 },
      encoding: { y: { field: "unit", type: "nominal", sort: null, title: null }, x: power("power (MW)"), tooltip: [{ field: "unit" }, power("power (MW)")] },
    });
    return;
  }
  const named = known.slice(0, 5), rest = known.slice(5);
  const rows = named.flatMap(({ unit, values }) => values.map((value, n) => ({ place: n + 1, unit, power: value })));
  if (rest.length) places.forEach((_, n) => rows.push({ place: n + 1, unit: `${rest.length} others`, power: +rest.reduce((sum, { values }) => sum + (values[n] || 0), 0).toPrecision(6) }));
  rows.forEach((one) => Object.assign(one, { snapshot: grid.keysOf(places[one.place - 1]).snapshot }));
  const order = [...new Set(rows.map((one) => one.unit))];
  own.figure("Dispatch", "scenario_dispatch", "The largest units by name.", {
    data: { values: rows }, mark: { type: "area", opacity: 0.85 },
    encoding: { x: report.snapshots(places), y: { ...power("power (MW)"), stack: true },
      color: { field: "unit", scale: { domain: order, range: report.COLOURS.slice(0, order.length) }, legend: { title: null } },
      tooltip: [{ field: "snapshot" }, { field: "unit" }, power("power (MW)")] },
  });
};

/* What power costs at the buses. */
report.pricesOf = (own, grid, places) => {
  const block = grid.block("bus", "lam_p");
  if (!block) return;
  const title = "price, lam_p (cost/MWh)", ids = grid.elements.bus.id;
  if (places.length === 1) {
    const rows = ids.map((id, n) => ({ bus: id, price: grid.value("bus", "lam_p", places[0], n) })).filter((one) => one.price !== null)
      .sort((a, b) => b.price - a.price).map((one, n) => ({ ...one, place: n + 1, href: report.hash({ element: "bus:" + one.bus }) }));
    if (rows.length) own.figure("Prices", "scenario_prices", "Each point is a bus and leads to its page.", {
      data: { values: rows }, mark: { type: "point", filled: true, size: 22, color: report.COLOURS[1], cursor: "pointer" },
      encoding: { x: { field: "place", type: "quantitative", title: "buses, the dearest first" }, y: { field: "price", type: "quantitative", title, scale: { zero: false } },
        href: { field: "href" }, tooltip: [{ field: "bus" }, { field: "price", title, format: ".5~g", type: "quantitative" }] },
    });
    return;
  }
  const rows = places.flatMap((at, n) => {
    const found = ids.map((_, k) => grid.value("bus", "lam_p", at, k)).filter((value) => value !== null);
    return found.length ? [{ place: n + 1, snapshot: grid.keysOf(at).snapshot, low: Math.min(...found), high: Math.max(...found), mean: +(found.reduce((a, b) => a + b) / found.length).toPrecision(6) }] : [];
  });
  if (!rows.length) return;
  const x = report.snapshots(places);
  const y = (field) => ({ field, type: "quantitative", title, scale: { zero: false } });
  own.figure("Prices", "scenario_prices", "Line: mean over the buses; band: from the cheapest to the dearest.", {
    data: { values: rows }, encoding: { x, tooltip: ["snapshot", "low", "mean", "high"].map((field) => ({ field })) },
    layer: [{ mark: { type: "area", opacity: 0.3, color: report.COLOURS[1] }, encoding: { y: y("low"), y2: { field: "high" } } },
      { mark: { type: "line", color: report.COLOURS[1] }, encoding: { y: y("mean") } }],
  });
};
