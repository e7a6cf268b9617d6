/* The map of a grid: shows a state that is chosen, or the worst of all. */
report.GridMap = class {
  constructor(place, name) {
    this.content = report.text("map-" + name);
    this.grid = report.grids.find((grid) => grid.name === this.content.grid);
    this.differences = (this.grid ? this.grid.differences : []).map((one) => new report.Difference(this, one));
    this.difference = null;
    this.place = place;
    this.figure = place.closest("figure");
    this.caption = this.figure.querySelector("figcaption");
    this.told = report.make("p", { className: "told" });
    this.told.setAttribute("aria-live", "polite");
    place.tabIndex = 0;
    place.setAttribute("role", "application");
    place.ariaLabel = "Map of the grid: + and - zoom, 0 shows the whole, arrows move.";
    this.rows();
    this.controls();
    this.caption.append(" ", report.saving(name, () => this.data()));
    const count = this.branches.length + this.buses.length;
    this.ready = report.embed(place, this.touchable(report.text("figure-" + name)), count > 3000 ? "canvas" : "svg")
      .then(({ view }) => {
        this.view = view;
        view.data("switches", this.switches);
        new ResizeObserver(() => this.fit()).observe(place);
        this.fit();
        return this.show({});
      });
    place.onkeydown = (event) => this.key(event);
  }

  /* Branches are too thin to be pointed at: wide lines that aren't seen lie on them. */
  touchable(spec) {
    for (const part of spec.layer) {
      if (part.data.name !== "switches") part.encoding.tooltip = { field: "tip" };
      part.mark.aria = false;
    }
    const [branches, ...others] = spec.layer, { x, y, x2, y2, tooltip, href } = branches.encoding;
    const wide = { data: branches.data, encoding: { x, y, x2, y2, tooltip, href },
                   mark: { type: "rule", aria: false, strokeWidth: 10, strokeOpacity: 0.001, cursor: "pointer" } };
    const many = this.buses.length > this.content.most_buses;
    return { ...spec, layer: many ? spec.layer : [branches, wide, ...others] };
  }
  /* What is told of a row under the pointer. */
  tip(row) {
    const { branch, bus, kind, name, loading, power, voltage, min, mean, max, low, high, note } = row;
    const told = (value, digits) => (typeof value === "number" ? value.toFixed(digits) : null);
    const all = this.difference ? this.difference.tip(row) : bus
      ? { bus, name, "voltage (p.u.)": told(voltage, 4), "lowest of all states": told(low, 4), "highest of all states": told(high, 4), note }
      : this.unrated(kind) ? { branch, name, "power at its first end (MW)": told(power, 1), "lowest of all states": told(min, 1), "mean of all states": told(mean, 1), "highest of all states": told(max, 1), note }
      : { branch, name, "loading (%)": told(loading, 1), "lowest of all states": told(min, 1), "mean of all states": told(mean, 1), "highest of all states": told(max, 1), note };
    return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null && value !== undefined && value !== ""));
  }

  /* Whether a kind of branch has no loading: an impedance, or a DC line. */
  unrated(kind) {
    return !!kind && this.content.unrated.includes(kind);
  }

  /* Rows that the map draws; a state changes them. */
  rows() {
    const { content, grid } = this;
    const fact = (kind, id) => {
      const own = grid && grid.elements[kind], n = own && grid.place[kind].get(id);
      if (n === undefined) return { n };
      return { n, name: own.name && own.name[n], min: own.min[n], mean: own.mean[n], max: own.max[n] };
    };
    const target = (element) => report.hash({ element, grid: report.grids.length > 1 ? content.grid : null });
    this.branches = content.id.map((id, k) => {
      const kind = content.kinds[content.kind[k]], [x, y, x2, y2] = content.lines.slice(4 * k, 4 * k + 4);
      return { kind, id, branch: `${kind} ${id}`, x, y, x2, y2, ...fact(kind, id), href: target(`${kind}:${id}`) };
    });
    this.stars = content.three.map((id, k) => ({
      kind: "trafo3w", id, branch: `trafo3w ${id}`, x: content.stars[2 * k], y: content.stars[2 * k + 1],
      shape: "diamond", size: 5 * content.dot, href: target(`trafo3w:${id}`) }));
    this.switches = Array.from({ length: content.switches.length / 4 }, (_, k) => {
      const [x, y, x2, y2] = content.switches.slice(4 * k, 4 * k + 4);
      return { x, y, x2, y2 };
    });
    this.power = Math.max(1e-6, ...this.branches.filter((row) => this.unrated(row.kind)).flatMap((row) => [Math.abs(row.min || 0), Math.abs(row.max || 0)]));
    const feeding = new Set(content.feeding);
    this.buses = content.buses.map((id, k) => {
      const { min, max, ...known } = fact("bus", id);
      return { kind: "bus", id, bus: `bus ${id}`, x: content.places[2 * k], y: content.places[2 * k + 1],
               ...known, low: min, high: max, feeds: feeding.has(k), href: target(`bus:${id}`) };
    });
    /* Crosses on what is out, and a ring around what is pointed at. */
    this.crosses = new Map();
    for (const row of this.branches) {
      const key = `${row.kind}:${row.id}`;
      if (!this.crosses.has(key)) this.crosses.set(key, {
        branch: row.branch, x: (row.x + row.x2) / 2, y: (row.y + row.y2) / 2,
        shape: "M-1,-.7L-.7,-1L0,-.3L.7,-1L1,-.7L.3,0L1,.7L.7,1L0,.3L-.7,1L-1,.7L-.3,0Z", size: 0, color: content.out, href: row.href });
    }
    this.ring = { x: 0, y: 0, size: 0, color: "#1b9e77",
      shape: "M-1,0A1,1 0 1,0 1,0A1,1 0 1,0 -1,0M-.75,0A.75,.75 0 1,1 .75,0A.75,.75 0 1,1 -.75,0" };
    this.marks = [...this.stars, ...this.crosses.values(), this.ring];
  }

  controls() {
    const { make } = report;
    const select = (onchange) => make("select", { onchange });
    this.scenario = select(() => this.go({ state: this.scenario.value, difference: this.difference && this.difference.name }));
    this.contingency = select(() => {
      const [state, snapshot, contingency] = JSON.parse(this.contingency.value);
      this.go({ state, snapshot, contingency, difference: this.difference && this.difference.name });
    });
    this.slider = make("input", { type: "range", min: 0, value: 0, ariaLabel: "snapshot",
      oninput: () => this.turn(+this.slider.value) });
    this.play = make("button", { type: "button", ariaLabel: "play", onclick: () => this.run() }, "▶");
    this.hour = make("output");
    this.time = make("span", { className: "time", hidden: true }, this.play, this.slider, this.hour);
    const names = this.grid ? [...this.grid.of.keys()].map((n) => this.grid.scenarios[n]) : [];
    this.scenario.append(make("option", { value: "" }, "worst of all states"),
      ...names.map((name) => make("option", { value: name }, name)));
    const button = (words, label, onclick) => make("button", { type: "button", ariaLabel: label, title: label, onclick }, words);
    const zoom = make("span", { className: "zoom" }, button("+", "zoom in", () => this.zoom(1 / 1.6)),
      button("−", "zoom out", () => this.zoom(1.6)), button("whole grid", "whole grid", () => this.zoom(0)));
    this.find = make("input", { type: "search", placeholder: "line 7, bus 3", onchange: () => {
      const [, kind, id] = /^\s*([a-z]\w*)[\s:]+(\d+)\s*$/i.exec(this.find.value) || [];
      if (kind) this.go({ element: `${kind.toLowerCase()}:${id}`, grid: report.grids.length > 1 ? this.content.grid : null });
    } });
    this.pairs = select(() => {
      const { at, state } = this.shown, chosen = this.differences.find((one) => one.name === this.pairs.value);
      this.go({ ...this.shown, state: at < 0 || (chosen && !chosen.takes(at)) ? "" : state, difference: this.pairs.value });
    });
    this.pairs.append(make("option", { value: "" }, "none"), ...this.differences.map((one) => make("option", { value: one.name }, one.title)));
    const between = make("label", { hidden: !this.differences.length }, "difference ", this.pairs);
    this.outages = make("label", {}, "contingency ", this.contingency);
    this.place.before(make("div", { className: "chooser" }, make("label", {}, "state of ", this.scenario),
      this.time, between, this.outages, make("label", {}, "element ", this.find), zoom));
    this.place.before(this.told);
    this.outage({});
  }
  go(keys) {
    const { state, snapshot, contingency, difference } = keys;
    const target = report.hash(state ? { state, snapshot, contingency, difference } : { map: this.content.grid, difference, contingency: difference && contingency });
    if (location.hash === target) report.follow(); else location.hash = target;
  }

  /* The contingencies to choose from: of the state shown, or the worst of all. */
  outage({ state, snapshot = null, contingency, at = -1 }) {
    const choices = this.difference ? this.difference.choices(at) : this.ranked(state, snapshot);
    this.contingency.replaceChildren(report.make("option", { value: JSON.stringify([state || "", snapshot, null]) }, state || this.difference ? "none" : "choose"),
      ...choices.map((one) => report.make("option", { value: JSON.stringify([one.state || "", one.snapshot, one.contingency]),
        selected: one.contingency === contingency && (!!state || !!this.difference) }, one.words)));
    this.outages.hidden = !choices.length;
  }
  ranked(state, snapshot) {
    const { grid } = this, ranking = grid && grid.contingencies;
    const places = !grid ? [] : state ? grid.ranked(state, snapshot) : ranking.contingency.map((_, n) => n);
    return places.map((n) => {
      const own = { state: grid.scenarios[ranking.scenario[n]], snapshot: ranking.snapshot[n] < 0 ? null : grid.snapshots[ranking.snapshot[n]] };
      const words = ranking.contingency[n] + (state ? "" : ` · ${own.state}${own.snapshot ? " · " + own.snapshot : ""}`)
        + (ranking.loading[n] === null ? "" : ` (${ranking.loading[n].toFixed(1)} %)`);
      return { ...own, contingency: ranking.contingency[n], words };
    });
  }

  /* Show a state: its scenario, snapshot and contingency; without one the worst of all. Or by how much it differs. */
  show({ state = null, snapshot = null, contingency = null, difference = null }) {
    const { grid } = this;
    this.stop();
    const at = state && grid ? grid.find(state, snapshot) : -1;
    const pair = this.differences.find((one) => one.name === difference) || null;
    this.difference = pair && pair.takes(at) ? pair : null;
    if (!state && !this.difference) contingency = null;
    this.pairs.value = this.difference ? difference : "";
    this.figure.querySelectorAll(".legend").forEach((legend, n) => { legend.hidden = (n === 1) !== !!this.difference; });
    if (at >= 0) ({ snapshot } = grid.keysOf(at));
    this.shown = { state, snapshot, contingency, at };
    const ranked = contingency && grid ? grid.ranked(state, snapshot)
      .find((n) => grid.contingencies.contingency[n] === contingency) : undefined;
    this.scenario.value = at >= 0 ? state : "";
    this.outage({ state: at >= 0 ? state : null, snapshot, contingency, at });
    const places = at >= 0 ? grid.statesOf(state) : [];
    this.time.hidden = places.length < 2;
    this.slider.max = places.length - 1;
    this.slider.value = places.indexOf(at);
    this.hour.textContent = snapshot || "";
    this.slider.setAttribute("aria-valuetext", snapshot || "");
    if (this.difference) this.difference.fill(at, contingency);
    else if (contingency) this.fillAfter(at, contingency, ranked);
    else this.fill(at);
    this.tell(at, ranked);
    return this.draw();
  }
  draw() {
    /* Vega marks the rows that it is given, so it gets copies. */
    /* Dots would hide the branches of a large grid on a small screen. */
    const dots = this.wide < 600 && this.buses.length > 300 ? 0.35 : 1;
    const sized = (row) => (row.shape === "circle" ? { size: dots * row.size } : {});
    const drawn = (rows) => rows.filter((row) => row.size !== 0).map((row) => ({ ...row, ...sized(row), tip: this.tip(row) }))
      .sort((a, b) => (a.width || 0) - (b.width || 0));
    for (const name of ["branches", "marks", "buses"]) this.view.data(name, drawn(this[name]));
    return this.view.runAsync();
  }
  style(row, loading) {
    const { shares, colours, widths } = this.content, { limit } = this.grid || { limit: 100 };
    const rank = loading === null || loading === undefined ? 0 : shares.filter((part) => loading > part * limit).length;
    Object.assign(row, { loading, color: colours[rank], width: widths[rank], out: 0, note: undefined });
  }
  /* A branch without a rating is the wider the more it carries. */
  carry(row, power) {
    const [width] = this.content.widths, share = typeof power === "number" ? Math.abs(power) / this.power : 0;
    Object.assign(row, { loading: null, power, color: this.content.colours[0], width: width * (1 + 1.5 * share), out: 2, note: undefined });
  }
  isOut(row) {
    Object.assign(row, { loading: null, power: null, color: this.content.out, width: 2, out: 1, note: "out of service" });
  }
  bus(row, voltage, how) {
    const [shape, color] = this.content.dots[how], bad = shape !== "circle";
    Object.assign(row, { voltage, shape, color, size: this.content.dot * (row.feeds ? 3 : 1) * (bad ? 2.5 : 1),
      note: how === "dead" ? "cut off" : undefined });
    if (!bad && this.buses.length > this.content.most_buses) row.size = 0;
  }
  band(highest, lowest = highest) {
    if (typeof highest !== "number") return "fine";
    const [low, high] = this.grid.band, quarter = (high - low) / 4;
    if (lowest < low - 1e-6) return "low";
    if (highest > high + 1e-6) return "high";
    if (lowest >= low + quarter && highest <= high - quarter) return "fine";
    return lowest - low <= high - highest ? "lower" : "upper";
  }
  fill(at) {
    const { grid } = this, worst = at < 0, out = new Set(), given = grid ? grid.outagesOf(at) : out;
    const solved = !worst && !["infeasible", "not_converged"].includes(grid.states.status[at]);
    for (const row of this.branches) {
      const unrated = this.unrated(row.kind);
      const value = !worst ? grid.value(row.kind, unrated ? "p_from_mw" : "loading_percent", at, row.n)
        : unrated && Math.abs(row.min) > Math.abs(row.max) ? row.min : row.max;
      if (given.has(`${row.kind}:${row.id}`) || (solved && value === null && row.max !== null && row.max !== undefined)) { this.isOut(row); out.add(`${row.kind}:${row.id}`); }
      else if (unrated) this.carry(row, value);
      else this.style(row, value);
    }
    this.cross(out);
    const voltages = !worst && grid.hasVoltages(grid.keysOf(at).state);
    this.dead = 0;
    for (const row of this.buses) {
      if (worst) this.bus(row, undefined, this.grid ? this.band(row.high, row.low) : "fine");
      else {
        const voltage = grid.value("bus", "vm_pu", at, row.n);
        const dead = solved && voltage === null && row.n !== undefined;
        this.dead += dead;
        this.bus(row, voltages ? voltage : null, dead ? "dead" : voltages ? this.band(voltage) : "fine");
      }
    }
  }
  fillAfter(at, contingency, ranked) {
    const known = ranked === undefined ? new Map() : this.grid.violations(ranked);
    const out = new Set(contingency.split("|")[0].match(/[a-z]\w*:\d+/g) || []);
    if (at >= 0) this.fill(at); else this.fill(-1);
    for (const row of this.branches) {
      const key = `${row.kind}:${row.id}`;
      if (out.has(key)) this.isOut(row);
      else if (row.out === 1) continue;
      else if (this.unrated(row.kind)) {
        this.carry(row, null);
        row.note = "its row isn't kept";
      }
      else if (known.has(key)) {
        this.style(row, known.get(key));
        Object.assign(row, { color: this.content.colours[3], width: this.content.widths[3], note: "above its limit" });
      } else {
        this.style(row, null);
        row.note = "within its limit, its row isn't kept";
      }
    }
    this.cross(out);
    for (const row of this.buses) {
      if (out.has("bus:" + row.id)) this.bus(row, null, "dead");
      else if (row.note) continue;
      else if (known.has("bus:" + row.id)) {
        const voltage = known.get("bus:" + row.id);
        this.bus(row, voltage, voltage < 1 ? "low" : "high");
      } else this.bus(row, null, "fine");
    }
    const [first] = [...out].map((key) => this.crosses.get(key)).filter(Boolean);
    if (first && this.buses.length > 300) Object.assign(this.ring, { x: first.x, y: first.y, size: 400 });
  }
  cross(out) {
    for (const [key, row] of this.crosses) row.size = out.has(key) ? 90 : 0;
    for (const star of this.stars) star.color = this.content.colours[0];
    this.ring.size = 0;
  }

  tell(at, ranked) {
    const { grid, shown: { state, snapshot, contingency } } = this;
    const say = (...parts) => this.told.replaceChildren(...parts);
    if (this.difference && at < 0) return say(this.difference.words(at));
    if (!state) return say("Worst of all states.");
    const page = report.link({ scenario: state }, state, "its page");
    if (at < 0 && !(grid && grid.total)) return say("The results keep no rows of the elements of ", page, ", so the map can't show it.");
    if (at < 0) {
      return say("The state ", page, snapshot ? ` · ${snapshot}` : "", " isn't among the "
        + `${grid ? grid.states.scenario.length.toLocaleString("en") : 0} of ${grid ? grid.total.toLocaleString("en") : 0} that this page holds; `
        + "the map shows the worst of all.");
    }
    if (this.difference) return say(page, snapshot ? ` · ${snapshot}` : "", ": ", this.difference.words(at));
    const value = (name, digits) => grid.states[name] && grid.states[name][at] !== null
      ? grid.states[name][at].toLocaleString("en", { maximumFractionDigits: digits }) : null;
    const parts = [page, snapshot ? ` · ${snapshot}` : "", contingency ? ` · after ${contingency}` : "", ": "];
    if (contingency) {
      if (ranked === undefined) return say(...parts, "this page doesn't hold what follows.");
      const { status, loading, unserved } = grid.contingencies, count = grid.violations(ranked).size, told = [];
      if (status[ranked] !== "ok") told.push(status[ranked].replace("_", " "));
      if (unserved[ranked]) told.push(`${unserved[ranked].toLocaleString("en")} MW unserved`);
      if (loading[ranked] !== null) told.push(`worst loading ${loading[ranked].toLocaleString("en", { maximumFractionDigits: 1 })} %`);
      told.push(count ? `${count} limits broken, which the map shows; rows of the others aren't kept` : "no rows of broken limits are kept");
      return say(...parts, told.join("; ") + ".");
    }
    const told = [];
    if (grid.states.status[at] !== "ok") told.push(grid.states.status[at].replace("_", " "));
    if (value("load_mw")) told.push(`load ${value("load_mw", 1)} MW`);
    const at_branch = grid.states.max_loading_element && grid.states.max_loading_element[at];
    if (value("max_loading_percent")) told.push(`worst loading ${value("max_loading_percent", 1)} % at ${at_branch}`);
    if (value("min_vm_pu")) told.push(`lowest voltage ${value("min_vm_pu", 4)} p.u. at bus ${grid.states.min_vm_bus[at]}`);
    const held = grid.statesOf(state).length;
    if (held > 1 && !grid.complete) told.push(`the page holds ${held.toLocaleString("en")} of its snapshots`);
    if (this.dead) told.push(`${this.dead} bus${this.dead > 1 ? "es" : ""} cut off`);
    say(...parts, told.join("; ") + ".");
  }

  /* Through the snapshots of a scenario. */
  turn(n) {
    const places = this.grid.statesOf(this.shown.state);
    const { difference, shown } = this;
    const keys = { ...this.grid.keysOf(places[n]), ...(difference && { difference: difference.name, contingency: shown.contingency }) };
    const running = this.running;
    this.running = null;
    history.replaceState(null, "", report.hash(keys));
    this.show(keys);
    this.running = running;
  }
  run() {
    if (this.running) return this.stop();
    this.play.textContent = "❚❚";
    this.play.ariaLabel = "pause";
    const last = +this.slider.max;
    if (+this.slider.value === last) this.turn(0);
    this.running = setInterval(() => {
      if (+this.slider.value >= last) this.stop();
      else this.turn(+this.slider.value + 1);
    }, 500);
  }
  stop() {
    if (!this.running) return;
    clearInterval(this.running);
    this.running = null;
    this.play.textContent = "▶";
    this.play.ariaLabel = "play";
  }

  /* Zoom and pan. A window is a range of either coordinate. */
  fit() {
    const [width, height] = this.content.size, wide = this.place.clientWidth;
    const most = Math.max(300, 0.7 * window.innerHeight);
    const high = Math.round(Math.min(most, Math.max(wide * height / width, Math.min(wide, 340))));
    if (!wide || (wide === this.wide && high === this.high)) return;
    Object.assign(this, { wide, high });
    this.view.height(high);
    this.look(this.whole());
  }
  whole() {
    const scale = Math.max(this.content.size[0] / this.wide, this.content.size[1] / this.high);
    return [this.wide, this.high].map((length, n) => {
      const middle = this.content.size[n] / 2;
      return [middle - length * scale / 2, middle + length * scale / 2];
    });
  }
  window() {
    return ["x", "y"].map((name) => this.view.signal("view_" + name));
  }
  look(window) {
    window.forEach((range, n) => this.view.signal("view_" + "xy"[n], range));
    const whole = this.whole()[0], drawn = this.place.querySelector("canvas, svg");
    const zoomed = window[0][1] - window[0][0] < 0.99 * (whole[1] - whole[0]);
    if (drawn) drawn.style.touchAction = zoomed ? "none" : "pan-y";
    return this.view.runAsync();
  }
  zoom(by) {
    if (!by) return this.look(this.whole());
    return this.look(this.window().map(([low, high], n) => {
      const middle = (low + high) / 2, half = by * (high - low) / 2;
      return [middle - half, middle + half];
    }));
  }
  pan(...by) {
    return this.look(this.window().map(([low, high], n) => [low + by[n] * (high - low), high + by[n] * (high - low)]));
  }
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const act = { "+": () => this.zoom(1 / 1.6), "=": () => this.zoom(1 / 1.6), "-": () => this.zoom(1.6), 0: () => this.zoom(0),
      ArrowLeft: () => this.pan(-0.15, 0), ArrowRight: () => this.pan(0.15, 0),
      ArrowUp: () => this.pan(0, 0.15), ArrowDown: () => this.pan(0, -0.15) }[event.key];
    if (act) { event.preventDefault(); act(); }
  }
  /* Put a ring around an element. */
  point(element) {
    const [kind, id] = element.split(":");
    const row = [...this.buses, ...this.branches].find((one) => one.kind === kind && one.id === +id);
    if (!row) return;
    const [x, y] = row.kind === "bus" ? [row.x, row.y] : [(row.x + row.x2) / 2, (row.y + row.y2) / 2];
    Object.assign(this.ring, { x, y, size: 500 });
    this.draw();
    const share = Math.min(1, Math.sqrt(300 / this.buses.length));
    this.look(this.whole().map(([low, high], n) => {
      const half = share * (high - low) / 2, middle = share < 1 ? [x, y][n] : (low + high) / 2;
      return [middle - half, middle + half];
    }));
  }
  data() {
    const { state, snapshot, contingency } = this.shown;
    const rows = new Map();
    if (this.difference) {
      const found = new Map([...this.branches, ...this.buses].map((row) => [`${row.kind}:${row.id}`, row]));
      return this.difference.data([...found.values()]);
    }
    for (const row of this.branches) rows.set(`${row.kind}:${row.id}`, [row.kind, row.id, row.loading, row.power, null, row.note]);
    for (const row of this.buses) rows.set(`bus:${row.id}`, ["bus", row.id, null, null, row.voltage, row.note]);
    return report.csv(["scenario", "snapshot", "contingency", "element", "id", "loading_percent", "p_from_mw", "vm_pu", "note"],
      [...rows.values()].map((row) => [state, snapshot, contingency, ...row]));
  }
};
