/* Two groups of states on a map: by how much each element differs. Without a state the worst of each group counts. */
report.Difference = class {
  constructor(map, one) {
    Object.assign(this, one, { map, look: map.content.difference });
    this.title = `${this.name} against ${this.reference}`;
    this.held = new Map(this.after.map((entry) => [this.key(entry), entry]));
  }
  key({ scenario, snapshot, contingency }) {
    return JSON.stringify([scenario || null, snapshot || null, contingency]);
  }
  /* Whether a state can be shown: the same one of another batch, or of its counterpart, is held against it. */
  takes(at) {
    return at < 0 || this.batch || this.counterpart(at) >= 0;
  }
  /* Position of the state of the reference that a state is held against, -1 for none. */
  counterpart(at) {
    const { grid } = this.map, n = this.counterparts[grid.states.scenario[at]];
    return n === undefined ? -1 : grid.find(grid.scenarios[n], grid.keysOf(at).snapshot);
  }
  /* What is held after a contingency: of a state, of its scenario, or without one of the worst of all. */
  afterOf(at, contingency) {
    const { state, snapshot } = at < 0 ? {} : this.map.grid.keysOf(at);
    return this.held.get(this.key({ scenario: state, snapshot, contingency }))
      || this.held.get(this.key({ scenario: state, contingency }));
  }
  /* The contingencies that can be chosen with a state, those after which most is otherwise first. */
  choices(at) {
    const { state, snapshot } = at < 0 ? {} : this.map.grid.keysOf(at);
    return this.after.filter((entry) => (entry.scenario || undefined) === state && (!entry.snapshot || entry.snapshot === snapshot))
      .map((entry) => ({ state, snapshot: snapshot || null, contingency: entry.contingency, words: `${entry.contingency} (${this.brief(entry)})` }));
  }
  brief({ before, now, lost, more }) {
    if (lost[0] || lost[1]) return "no solution";
    const [old, own] = [before, now].map(this.elementsOf);
    const fresh = [...own].filter((one) => !old.has(one)).length, gone = [...old].filter((one) => !own.has(one)).length;
    return [fresh && `${fresh} new`, gone && `${gone} gone`, own.size - fresh && `${own.size - fresh} in both`, more && `${more} more`].filter(Boolean).join(", ");
  }
  elementsOf(kinds) {
    return new Set(Object.entries(kinds).flatMap(([kind, pairs]) => pairs.filter((_, n) => n % 2 === 0).map((id) => `${kind}:${id}`)));
  }
  count({ before, now }) {
    return new Set([...this.elementsOf(before), ...this.elementsOf(now)]).size;
  }
  /* Values of the reference and of the group: the highest of all states, or those of a state. */
  pair(row, at, end = "") {
    const { grid } = this.map, own = this.elements[row.kind];
    if (!own || row.n === undefined) return [null, null];
    if (at < 0) return [own["before" + end][row.n], own["after" + end][row.n]];
    const quantity = grid.elements[row.kind].quantity;
    const there = this.batch ? at : this.counterpart(at);
    if (quantity === "vm_pu" && ![at, there].every((one) => grid.hasVoltages(grid.keysOf(one).state))) return [null, null];
    return [grid.value(row.kind, quantity, there, row.n, this.batch ? "before" : "values"), grid.value(row.kind, quantity, at, row.n)];
  }
  rank(change, steps) {
    return steps.filter((step) => Math.abs(change) > step).length;
  }
  colour(change, steps) {
    const rank = this.rank(change, steps);
    return rank ? (change > 0 ? this.look.rising : this.look.falling)[rank - 1] : this.map.content.colours[0];
  }
  fill(at, contingency) {
    this.contingency = contingency;
    if (contingency) return this.fillAfter(at, contingency);
    const { map } = this, { content, grid } = map, out = new Set(), given = grid.outagesOf(at);
    const lacking = grid.outagesOf(at < 0 || this.batch ? -1 : this.counterpart(at));
    this.counts = { higher: 0, lower: 0, over: 0, under: 0, up: 0, down: 0, most: null };
    for (const row of map.branches) {
      const key = `${row.kind}:${row.id}`, [there, now] = this.pair(row, at), before = lacking.has(key) ? null : there;
      const change = before === null || now === null ? null : now - before;
      const rated = grid && grid.elements[row.kind] && grid.elements[row.kind].quantity === "loading_percent";
      const rank = rated && change !== null ? this.rank(change, this.look.percent) : 0;
      Object.assign(row, { before, now, change, loading: now, out: map.unrated(row.kind) ? 2 : 0, note: undefined, width: content.widths[[0, 2, 3][rank]],
                           color: rank ? this.colour(change, this.look.percent) : content.colours[0] });
      if (given.has(key) || (before !== null && now === null)) {
        map.isOut(row);
        row.note = "out of service here";
        out.add(key);
      } else if (before === null && now !== null) row.note = `out of service in ${this.reference}`;
      else if (rated && change !== null) this.note(row, before, now, change, rank);
    }
    map.cross(out);
    for (const row of map.buses) this.bus(row, at);
  }
  /* After a contingency what breaks a limit in either is known; the rest keeps its limits. */
  fillAfter(at, contingency) {
    const { map } = this, { content, grid } = map, [little] = this.look.percent;
    const out = new Set(contingency.split("|")[0].match(/[a-z]\w*:\d+/g) || []), given = grid.outagesOf(at);
    this.entry = this.afterOf(at, contingency);
    this.counts = { fresh: 0, gone: 0, worse: 0, better: 0, alike: 0, most: null };
    const known = ["before", "now"].map((when) => new Map(Object.entries(this.entry ? this.entry[when] : {}).flatMap(([kind, pairs]) =>
      pairs.flatMap((id, n) => (n % 2 ? [] : [[`${kind}:${id}`, pairs[n + 1]]])))));
    const seen = new Set(), rest = !this.entry ? "not held by this page" : this.entry.more ? "not among those that differ most" : "within its limits in both, its row isn't kept";
    for (const row of [...map.branches, ...map.buses]) {
      const key = `${row.kind}:${row.id}`, [before, now] = known.map((values) => values.get(key) ?? null);
      if (row.kind === "bus") map.bus(row, now, "fine");
      Object.assign(row, { before, now, change: null, note: rest });
      if (row.kind !== "bus") Object.assign(row, { loading: now, color: content.colours[0], width: content.widths[0], out: map.unrated(row.kind) ? 2 : 0 });
      if (out.has(key) || given.has(key)) {
        if (row.kind === "bus") map.bus(row, null, "dead"); else map.isOut(row);
        row.note = "out of service";
      } else if (map.unrated(row.kind)) row.note = "its row isn't kept";
      else if (before !== null || now !== null) this.broken(row, before, now, little, seen.has(key));
      seen.add(key);
    }
    map.cross(new Set([...out, ...given]));
    const [first] = [...out].map((key) => map.crosses.get(key)).filter(Boolean);
    if (first && map.buses.length > 300) Object.assign(map.ring, { x: first.x, y: first.y, size: 400 });
  }
  /* A limit that is broken in either; a transformer of three windings is drawn by three rows. */
  broken(row, before, now, little, counted) {
    const bus = row.kind === "bus", low = (before ?? now) < 1, { counts, look, map } = this;
    const change = before !== null && now !== null ? now - before : null;
    const outward = change === null ? (now !== null ? 1 : -1) : Math.abs(change) <= (bus ? 0.0005 : 0.05) ? 0 : Math.sign(change) * (bus && low ? -1 : 1);
    const rises = bus && low ? -outward : outward;
    const rank = change === null ? 2 : this.rank(change, bus ? look.pu : look.percent);
    const color = rank && outward ? (rises > 0 ? look.rising : look.falling)[rank - 1] : map.content.colours[0];
    const note = change === null ? (now !== null ? "breaks its limit now" : "within its limit now") : "breaks its limit in both";
    Object.assign(row, { change, color, note });
    if (!bus) row.width = map.content.widths[[1, 2, 3][rank]];
    else Object.assign(row, { shape: rises < 0 ? "triangle-down" : "triangle-up", size: 4 * map.content.dot });
    if (counted) return;
    counts[change === null ? (now !== null ? "fresh" : "gone") : outward > 0 ? "worse" : outward < 0 ? "better" : "alike"] += 1;
    const weight = (now !== null && before === null ? 1e6 : 0) + (bus ? 100 * Math.abs((now ?? before) - 1) : (now ?? before) - 100);
    if (!counts.most || weight > counts.most.weight) counts.most = { ...row, weight };
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
    const kept = this.contingency && /its limit/.test(note || "") ? "within its limit" : null;
    const told = (value) => (typeof value === "number" ? `${value.toFixed(digits)} ${unit}` : kept);
    const more = typeof change === "number" ? (change > 0 ? "+" : "") + told(change) : null;
    return { [bus ? "bus" : "branch"]: bus || branch, name, [`${quantity}, ${this.reference}`]: told(before),
             [`${quantity}, ${this.name}`]: told(now), difference: more, note };
  }
  /* What the map shows, in words. */
  words(at) {
    if (this.contingency) return this.wordsAfter(at);
    const { counts, look, map } = this, many = (count, one) => `${count.toLocaleString("en")} ${one}${count === 1 ? "" : "es"}`;
    const of = at < 0 ? "highest loadings and extreme voltages of all states" : "this state";
    const parts = [`${many(counts.higher, "branch")} loaded higher by more than ${look.percent[0]} percentage point, ${counts.lower.toLocaleString("en")} lower`];
    if (counts.over) parts.push(`${counts.over.toLocaleString("en")} above the limit now`);
    if (counts.under) parts.push(`${counts.under.toLocaleString("en")} within it now`);
    if (counts.most && counts.most.change) {
      const { branch, before, now } = counts.most;
      parts.push(`most at ${branch}, ${before.toFixed(1)} → ${now.toFixed(1)} %`);
    }
    const voltages = [[counts.up, "higher"], [counts.down, "lower"]].filter(([count]) => count);
    if (voltages.length) parts.push(`voltage ${voltages.map(([count, what]) => `${what} at ${many(count, "bus")}`).join(", ")} by more than ${look.pu[0]} p.u.`);
    return `Difference, ${this.title}, ${of}: ${parts.join("; ")}.`;
  }
  wordsAfter(at) {
    const { counts, entry } = this, whole = at < 0 ? "worst of all states" : entry && !entry.snapshot && this.map.grid.keysOf(at).snapshot ? "worst of its snapshots" : "this state";
    const lead = `Difference, ${this.title}, after ${this.contingency}, ${whole}: `;
    if (!entry) return lead + "this page doesn't hold what follows it; the summary's rows do.";
    const lost = [this.reference, this.name].filter((_, n) => entry.lost[n]);
    if (lost.length) return `${lead}it has no solution in a state of ${lost.join(" and of ")}.`;
    const told = [[counts.fresh, "newly broken"], [counts.worse, "worse"], [counts.better, "better"], [counts.gone, "broken no more"], [counts.alike, "as bad"]]
      .filter(([count]) => count).map(([count, what], n) => `${count.toLocaleString("en")} ${n ? "" : `limit${count === 1 ? "" : "s"} `}${what}`);
    const { branch, bus, before, now } = counts.most || {}, [digits, unit] = bus ? [4, "p.u."] : [1, "%"];
    const value = (one) => (typeof one === "number" ? `${one.toFixed(digits)} ${unit}` : "within its limit");
    return `${lead}${told.join(", ")}${counts.most ? `; most at ${bus || branch}, ${value(before)} → ${value(now)}` : ""}. ${entry.more ? `These are the ones that differ most, of ${(entry.more + this.count(entry)).toLocaleString("en")}.` : "Rows of what keeps its limits aren't kept."}`;
  }
  data(rows) {
    const { state, snapshot, contingency } = this.map.shown;
    return report.csv(["group", "reference", "scenario", "snapshot", "contingency", "element", "id", "before", "now", "difference", "note"],
      rows.map((row) => [this.name, this.reference, state, snapshot, contingency, row.kind, row.id, row.before, row.now,
        typeof row.change === "number" ? +row.change.toPrecision(6) : null, row.note]));
  }
};
