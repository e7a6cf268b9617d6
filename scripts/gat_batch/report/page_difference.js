/* Two groups of states on a map: by how much each element differs. Without a state the worst of each group counts. */
report.Difference = class {
  constructor(map, one) {
    Object.assign(this, one, { map, look: map.content.difference });
    this.title = `${this.name} against ${this.reference}`;
  }
  /* Whether a state can be shown: only the same state of another batch can be held against it. */
  takes(at) {
    return at < 0 || this.batch;
  }
  /* Values of the reference and of the group: the highest of all states, or those of a state. */
  pair(row, at, end = "") {
    const { grid } = this.map, own = this.elements[row.kind];
    if (!own || row.n === undefined) return [null, null];
    if (at < 0) return [own["before" + end][row.n], own["after" + end][row.n]];
    const quantity = grid.elements[row.kind].quantity;
    if (quantity === "vm_pu" && !grid.hasVoltages(grid.keysOf(at).state)) return [null, null];
    return [grid.value(row.kind, quantity, at, row.n, "before"), grid.value(row.kind, quantity, at, row.n)];
  }
  rank(change, steps) {
    return steps.filter((step) => Math.abs(change) > step).length;
  }
  colour(change, steps) {
    const rank = this.rank(change, steps);
    return rank ? (change > 0 ? this.look.rising : this.look.falling)[rank - 1] : this.map.content.colours[0];
  }
  fill(at) {
    const { map } = this, { content, grid } = map, out = new Set(), given = grid.outagesOf(at);
    this.counts = { higher: 0, lower: 0, over: 0, under: 0, up: 0, down: 0, most: null };
    for (const row of map.branches) {
      const [before, now] = this.pair(row, at), change = before === null || now === null ? null : now - before;
      const rated = grid && grid.elements[row.kind] && grid.elements[row.kind].quantity === "loading_percent";
      const rank = rated && change !== null ? this.rank(change, this.look.percent) : 0;
      Object.assign(row, { before, now, change, loading: now, out: map.unrated(row.kind) ? 2 : 0, note: undefined, width: content.widths[[0, 2, 3][rank]],
                           color: rank ? this.colour(change, this.look.percent) : content.colours[0] });
      if (given.has(`${row.kind}:${row.id}`) || (before !== null && now === null)) {
        map.isOut(row);
        row.note = "out of service here";
        out.add(`${row.kind}:${row.id}`);
      } else if (before === null && now !== null) row.note = `out of service in ${this.reference}`;
      else if (rated && change !== null) this.note(row, before, now, change, rank);
    }
    map.cross(out);
    for (const row of map.buses) this.bus(row, at);
  }
  note(row, before, now, change, rank) {
    const { counts } = this, { limit } = this.map.grid;
    if (now > limit && before <= limit) { counts.over += 1; row.note = "above its limit now"; }
    if (now <= limit && before > limit) { counts.under += 1; row.note = "within its limit now"; }
    if (rank) counts[change > 0 ? "higher" : "lower"] += 1;
    if (!counts.most || Math.abs(change) > Math.abs(counts.most.change)) counts.most = { ...row };
  }
  /* Of a bus the lowest or the highest voltage, whichever changes more. */
  bus(row, at) {
    const { map } = this, ends = at < 0 ? ["_low", ""] : [""];
    const pairs = ends.map((end) => this.pair(row, at, end)).filter(([before, now]) => before !== null && now !== null);
    const [before, now] = pairs.sort((a, b) => Math.abs(b[1] - b[0]) - Math.abs(a[1] - a[0]))[0] || [null, null];
    const change = before === null ? null : now - before, rank = change === null ? 0 : this.rank(change, this.look.pu);
    map.bus(row, now, "fine");
    Object.assign(row, { before, now, change, color: rank ? this.colour(change, this.look.pu) : map.content.colours[0] });
    if (rank) {
      this.counts[change > 0 ? "up" : "down"] += 1;
      Object.assign(row, { shape: change > 0 ? "triangle-up" : "triangle-down", size: 4 * map.content.dot });
    }
  }
  /* What is told of a row under the pointer. */
  tip({ branch, bus, kind, name, before, now, change, note }) {
    const quantity = bus ? "voltage" : this.map.grid.elements[kind]?.quantity === "p_from_mw" ? "power" : "loading";
    const digits = bus ? 4 : 1, unit = { voltage: "p.u.", power: "MW", loading: "%" }[quantity];
    const told = (value) => (typeof value === "number" ? `${value.toFixed(digits)} ${unit}` : null);
    const more = typeof change === "number" ? (change > 0 ? "+" : "") + told(change) : null;
    return { [bus ? "bus" : "branch"]: bus || branch, name, [`${quantity}, ${this.reference}`]: told(before),
             [`${quantity}, ${this.name}`]: told(now), difference: more, note };
  }
  /* What the map shows, in words. */
  words(at) {
    const { counts, look, map } = this, many = (count, one) => `${count.toLocaleString("en")} ${one}${count === 1 ? "" : "es"}`;
    const of = at < 0 ? "highest loadings and extreme voltages of all states" : "this state";
    const parts = [`${many(counts.higher, "branch")} loaded higher by more than ${look.percent[0]} percentage point, ${counts.lower.toLocaleString("en")} lower`];
    if (counts.over) parts.push(`${counts.over.toLocaleString("en")} above the limit now`);
    if (counts.under) parts.push(`${counts.under.toLocaleString("en")} within it now`);
    if (counts.most && counts.most.change) {
      const { branch, before, now } = counts.most;
      parts.push(`most at ${branch}, ${before.toFixed(1)} → ${now.toFixed(1)} %`);
    }
    if (counts.up + counts.down) parts.push(`voltage higher by more than ${look.pu[0]} p.u. at ${many(counts.up, "bus")}, lower at ${counts.down.toLocaleString("en")}`);
    return `Difference, ${this.title}, ${of}: ${parts.join("; ")}.`;
  }
  data(rows) {
    const { state, snapshot } = this.map.shown;
    return report.csv(["group", "reference", "scenario", "snapshot", "element", "id", "before", "now", "difference", "note"],
      rows.map((row) => [this.name, this.reference, state, snapshot, row.kind, row.id, row.before, row.now,
        typeof row.change === "number" ? +row.change.toPrecision(6) : null, row.note]));
  }
};
