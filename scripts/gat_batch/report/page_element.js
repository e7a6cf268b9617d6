/* The page of an element: how it fares over all states, and where it is at its worst. */
report.elementPage = (grid, element) => {
  const { link, column } = report;
  const [kind, id] = element.split(":"), known = grid && grid.elements[kind];
  const n = known ? grid.place[kind].get(+id) : undefined;
  const own = new report.Own(`${kind} ${id}`, [n !== undefined && known.name && known.name[n], report.grids.length > 1 && grid.name].filter(Boolean).join(", "));
  if (n === undefined) return own.say("The results have no rows of this element.");
  const [what, unit, digits] = { loading_percent: ["loading", "%", 2], vm_pu: ["voltage", "p.u.", 4], p_mw: ["power", "MW", 2],
    q_mvar: ["reactive power", "MVAr", 2], p_from_mw: ["power at its first end", "MW", 2] }[known.quantity];
  const title = `${what} (${unit})`;
  const tell = (value) => value === null || value === undefined ? null : `${value.toLocaleString("en", { maximumFractionDigits: digits })} ${unit}`;
  const changed = (own) => {
    if (!own || own.before[n] === null || own.after[n] === null) return null;
    const change = (end) => `${tell(own["before" + end][n])} → ${tell(own["after" + end][n])}`;
    return kind === "bus" ? `lowest ${change("_low")}; highest ${change("")}` : `highest ${change("")}`;
  };
  const text = (list, at) => at === undefined || at < 0 ? null : list[at];
  const worst = { state: text(grid.scenarios, known.scenario[n]), snapshot: text(grid.snapshots, known.snapshot[n]) };
  const named = (keys) => [keys.state, keys.snapshot].filter(Boolean).join(" · ");
  const { overloads } = grid;
  const mine = overloads.element.flatMap((one, k) => (one === kind && overloads.id[k] === +id ? [k] : []));
  const after = mine.reduce((best, k) => (best < 0 || overloads.max_loading_percent[k] > overloads.max_loading_percent[best] ? k : best), -1);
  const onMap = ["bus", "line", "trafo", "trafo3w"].includes(kind) && report.maps.some((map) => map.grid === grid);
  own.facts([
    ["lowest", tell(known.min[n])], ["mean", tell(known.mean[n])], ["95 % quantile", tell(known.p95[n])], ["highest", tell(known.max[n])],
    ["at its worst", worst.state ? [tell(known.worst[n]), " in ", link(worst, named(worst), "on the map")] : null],
    ["probability of a violation", known.probability && known.probability[n] !== null ? String(known.probability[n]) : null],
    ["states with a value", known.count[n].toLocaleString("en")],
    ...grid.differences.map((one) => [`${one.name} against ${one.reference}`, changed(one.elements[kind])]),
    ["after contingencies", after < 0 ? null : [`above its limit ${mine.reduce((sum, k) => sum + overloads.overloads[k], 0).toLocaleString("en")} times, at worst ${tell(overloads.max_loading_percent[after])} after `,
      link({ state: overloads.scenario[after], snapshot: overloads.snapshot[after], contingency: overloads.contingency[after] }, overloads.contingency[after]), ` in ${overloads.scenario[after]}`]],
    ["where it is", onMap ? link({ show: element, grid: report.grids.length > 1 ? grid.name : null }, "show it on the map") : null],
  ]);
  const shown = grid.block(kind, known.quantity);
  /* Voltages of a DC power flow aren't computed: its states say no more than what is supplied. */
  const hasValue = (at) => known.quantity !== "vm_pu" || grid.hasVoltages(grid.keysOf(at).state);
  const even = grid.even().filter(hasValue);
  const values = shown ? grid.series(kind, known.quantity, n, even) : [];
  if (!shown) own.say(`The page holds no single states of this kind of element.`);
  else if (values.some((value) => value !== null)) {
    own.figure("Duration curve", "element_duration", `${report.chosen(grid)} Values sorted; at 5 % lies what is exceeded in 5 % of them.`, report.curve(values, title));
    own.figure("Distribution", "element_distribution", report.chosen(grid), report.bins(values, title));
    const places = worst.state ? grid.statesOf(worst.state) : [];
    if (places.length > 1) {
      own.figure(`In ${worst.state}, its worst scenario`, "element_course", "A click on a point shows that state on the map.",
        report.course(grid, places, grid.series(kind, known.quantity, n, places), title));
    }
    const all = grid.states.scenario.map((_, at) => at).filter(hasValue).map((at) => [at, grid.value(kind, known.quantity, at, n)]).filter(([, value]) => value !== null);
    const bad = known.quantity === "vm_pu" ? (value) => Math.abs(value - 1) : (value) => value;
    all.sort((a, b) => bad(b[1]) - bad(a[1]));
    const rows = all.slice(0, 100).map(([at, value]) => [grid.keysOf(at).state, grid.keysOf(at).snapshot, value]);
    own.table("Its worst states, of those that the page holds", "element_states",
      [column("scenario", "scenario"), column("snapshot", "snapshot"), column(known.quantity, title, digits)], rows);
  }
  if (grid.block(kind, "lam_p")) {
    const prices = grid.series(kind, "lam_p", n, grid.even());
    if (prices.some((value) => value !== null)) own.figure("Price", "element_price", report.chosen(grid), report.curve(prices, "price, lam_p (cost/MWh)"));
  }
  const ranking = grid.contingencies, broken = [];
  ranking.contingency.forEach((name, k) => {
    const pairs = ranking.violations[k][kind] || [];
    for (let m = 0; m < pairs.length; m += 2) {
      if (pairs[m] === +id) broken.push([name, grid.scenarios[ranking.scenario[k]], text(grid.snapshots, ranking.snapshot[k]), pairs[m + 1]]);
    }
  });
  broken.sort((a, b) => (kind === "bus" ? Math.abs(b[3] - 1) - Math.abs(a[3] - 1) : b[3] - a[3]));
  own.table("Contingencies after which it breaks a limit, of those ranked", "element_contingencies",
    [column("contingency", "contingency"), column("scenario", "scenario"), column("snapshot", "snapshot"), column("value", title, digits)], broken);
};
