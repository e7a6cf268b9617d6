/* Draws the page, and follows its links. */
(() => {
  const drawn = [], maps = (report.maps = []);
  for (const place of document.querySelectorAll("[data-figure]")) {
    const name = place.dataset.figure;
    if (document.getElementById("map-" + name)) {
      maps.push(new report.GridMap(place, name));
      drawn.push(maps.at(-1).ready);
    } else drawn.push(report.draw(place, name, report.text("figure-" + name)));
  }
  for (const place of document.querySelectorAll("[data-table]")) {
    const name = place.dataset.table;
    report.tables[name] = new report.Table(place, report.text("table-" + name), name);
  }
  const mapOf = (grid) => maps.find((map) => map.grid && map.grid === grid) || maps[0];
  const gridNamed = (name, scenario) => report.grids.find((grid) => grid.name === name) || report.gridOf(scenario);
  report.follow = () => {
    const asked = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
    const inOwn = document.body.classList.contains("in-own");
    if (!inOwn) report.left = window.scrollY;
    if (asked.element) return report.elementPage(gridNamed(asked.grid, asked.of), asked.element);
    if (asked.scenario) return report.scenarioPage(asked.scenario);
    report.leave();
    if (asked.show) {
      const map = mapOf(gridNamed(asked.grid));
      map.point(asked.show);
      map.figure.scrollIntoView({ block: "start" });
    } else if ("state" in asked || "map" in asked || "difference" in asked) {
      const map = asked.map ? maps.find((one) => one.content.grid === asked.map) : mapOf(report.gridOf(asked.state));
      if (!map) return report.tables.scenarios.reveal(asked.state);
      map.show({ ...asked, state: asked.state || null });
      map.figure.scrollIntoView({ block: "start" });
    } else if (inOwn && location.hash) {
      const place = document.getElementById(location.hash.slice(1));
      if (place) place.scrollIntoView();
    }
  };
  window.addEventListener("hashchange", report.follow);
  Promise.allSettled(drawn).then(() => {
    report.follow();
    document.documentElement.dataset.ready = "yes";
  });
})();
