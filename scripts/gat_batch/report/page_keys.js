/* Points and bars of a figure by keyboard: arrows go from one to the next, Enter goes where a click would. */
report.keys = (place) => {
  const leads = () => [...place.querySelectorAll(".mark-symbol path, .mark-rect path")].filter((node) => node.__data__ && node.__data__.href);
  if (!leads().length) return;
  const told = report.make("p", { className: "key-told" });
  told.setAttribute("aria-live", "polite");
  place.after(told);
  place.tabIndex = 0;
  place.setAttribute("role", "application");
  place.ariaLabel += " Arrows go from point to point, Enter follows one.";
  let nodes = [], at = -1;
  const mark = (n) => {
    nodes.forEach((node) => node.classList.remove("at-key"));
    at = n;
    if (!nodes[n]) return;
    nodes[n].classList.add("at-key");
    const { tooltip } = nodes[n].__data__;
    told.textContent = Object.entries(tooltip || {}).map(([name, value]) => `${name}: ${value}`).join(", ");
  };
  place.onfocus = () => { nodes = leads(); };
  place.onblur = () => { mark(-1); told.textContent = ""; };
  place.onkeydown = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const last = nodes.length - 1;
    const next = { ArrowRight: Math.min(at + 1, last), ArrowDown: Math.min(at + 1, last), ArrowLeft: Math.max(at - 1, 0), ArrowUp: Math.max(at - 1, 0), Home: 0, End: last }[event.key];
    if (next !== undefined) { event.preventDefault(); mark(next); }
    else if (event.key === "Enter" && nodes[at]) location.hash = nodes[at].__data__.href;
  };
};
