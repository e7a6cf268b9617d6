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
  report.follow = () => {
    const asked = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
    if ("state" in asked) {
      const map = asked.map ? maps.find((one) => one.content.grid === asked.map) : mapOf(report.gridOf(asked.state));
      if (map) {
        map.show({ ...asked, state: asked.state || null });
        map.figure.scrollIntoView({ block: "start" });
      } else report.tables.scenarios.reveal(asked.state);
    }
  };
  window.addEventListener("hashchange", report.follow);
  Promise.allSettled(drawn).then(() => {
    report.follow();
    document.documentElement.dataset.ready = "yes";
  });
})();
