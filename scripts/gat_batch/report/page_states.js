/* The states that the page holds: what every element has in them. */
report.Grid = class {
  constructor(content) {
    Object.assign(this, content);
    this.place = {};
    for (const [kind, own] of Object.entries(this.elements)) {
      this.place[kind] = new Map(own.id.map((id, n) => [id, n]));
    }
    this.of = new Map();
    this.states.scenario.forEach((name, at) => {
      if (!this.of.has(name)) this.of.set(name, []);
      this.of.get(name).push(at);
    });
    this.blocks = {};
    this.complete = this.states.scenario.length === this.total;
    this.direct = new Set(this.dc);
  }
  /* Numbers of a quantity of all elements of a kind, state by state, of this batch or (before) of another; they are read once. */
  block(kind, quantity, from = "values") {
    const key = [from, kind, quantity].join(" ");
    if (!(key in this.blocks)) {
      const found = this[from].find((one) => one.element === kind && one.quantity === quantity);
      if (!found) return (this.blocks[key] = null);
      const bytes = Uint8Array.from(atob(found.data), (letter) => letter.charCodeAt(0));
      this.blocks[key] = { ...found, numbers: new Uint16Array(bytes.buffer),
                           width: this.elements[kind].id.length };
    }
    return this.blocks[key];
  }
  value(kind, quantity, at, n, from = "values") {
    const block = this.block(kind, quantity, from);
    if (!block || n === undefined) return null;
    const number = block.numbers[at * block.width + n];
    return number === 65535 ? null : +(block.low + number * block.step).toPrecision(6);
  }
  /* Whether voltages of a scenario were computed. */
  hasVoltages(scenario) {
    return !this.direct.has(scenario) && this.solvers.some((solver) => solver.startsWith("ac"));
  }
  /* What is out of service in a scenario, by its manifest. */
  outagesOf(at) {
    return new Set(at < 0 ? [] : this.outages[this.states.scenario[at]] || []);
  }
  series(kind, quantity, n, places) {
    return places.map((at) => this.value(kind, quantity, at, n));
  }
  /* Positions of a scenario's states. */
  statesOf(scenario) {
    return this.of.get(this.scenarios.indexOf(scenario)) || [];
  }
  /* Positions of states chosen without regard to how bad they are. */
  even() {
    return this.states.even.flatMap((chosen, at) => (chosen ? [at] : []));
  }
  keysOf(at) {
    const snapshot = this.states.snapshot[at];
    return { state: this.scenarios[this.states.scenario[at]],
             snapshot: snapshot < 0 ? null : this.snapshots[snapshot] };
  }
  /* Position of a state; without a snapshot the one with the highest loading, -1 if there is none. */
  find(scenario, snapshot) {
    const places = this.statesOf(scenario);
    if (snapshot) return places.find((at) => this.keysOf(at).snapshot === snapshot) ?? -1;
    const loading = this.states.max_loading_percent || [];
    return places.reduce((best, at) => (best < 0 || loading[at] > loading[best] ? at : best), -1);
  }
  /* Positions in the ranking of the contingencies of a scenario, and of a snapshot of it. */
  ranked(scenario, snapshot = null) {
    const ranking = this.contingencies;
    const wanted = this.scenarios.indexOf(scenario);
    return ranking.contingency.flatMap((_, n) => {
      const when = ranking.snapshot[n] < 0 ? null : this.snapshots[ranking.snapshot[n]];
      return ranking.scenario[n] === wanted && (snapshot === null || when === snapshot) ? [n] : [];
    });
  }
  violations(n) {
    const found = new Map();
    for (const [kind, pairs] of Object.entries(this.contingencies.violations[n])) {
      for (let k = 0; k < pairs.length; k += 2) found.set(kind + ":" + pairs[k], pairs[k + 1]);
    }
    return found;
  }
};
report.grids = report.text("grids").map((content) => new report.Grid(content));
report.gridOf = (scenario) =>
  report.grids.find((grid) => grid.scenarios.includes(scenario)) || report.grids[0];
