// Charts are drawn from the table beside them (uPlot): the table is the truth, and all there is without scripts.
"use strict";
(() => {
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const drawn = new Set();

  function read(table) {
    const rows = [...table.tBodies[0].rows];
    const number = (cell) => (cell?.dataset.value ? Number(cell.dataset.value) : null);
    const names = [...table.tHead.rows[0].cells].map((cell) => cell.dataset.series).slice(1);
    const first = rows.map((row) => Number(row.cells[0].dataset.value));
    const columns = names.map((_, place) => rows.map((row) => number(row.cells[place + 1])));
    const said = [...table.tHead.rows[0].cells].map((cell) => cell.textContent.trim());
    return { names, first, columns, said };
  }

  function lines(names, said) {
    const looks = {
      past: { stroke: colour("--past"), width: 1.5, fill: colour("--past") + "22" },
      told: { stroke: colour("--brick"), width: 2 },
      ahead: { stroke: colour("--sea"), width: 2.5 },
      low: { stroke: "transparent" },
      high: { stroke: "transparent" },
    };
    return names.map((name, place) => ({ label: said[place + 1], ...looks[name], points: { show: false }, spanGaps: name === "past" }));
  }

  function draw(figure) {
    const table = figure.querySelector("table"), place = figure.querySelector(".chart");
    const { names, first, columns, said } = read(table);
    if (first.length < 2) return;
    const isTime = figure.dataset.chart !== "price", language = document.documentElement.lang;
    const day = new Intl.DateTimeFormat(language, { day: "numeric", month: "short", timeZone: "UTC" });
    const full = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeZone: "UTC" });
    const amount = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });
    const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "13px system-ui" };
    const low = names.indexOf("low") + 1, high = names.indexOf("high") + 1;
    const chart = new uPlot({
      width: place.clientWidth, height: Math.min(340, Math.max(220, place.clientWidth * 0.42)),
      tzDate: (ts) => uPlot.tzDate(new Date(ts * 1000), "Etc/UTC"),
      scales: { x: { time: isTime }, y: { range: (_, least, most) => [Math.min(0, least), (most || 1) * 1.06] } },
      series: [{ label: said[0], value: (_, x) => (x == null ? "–" : isTime ? full.format(x * 1000) : amount.format(x)) },
        ...lines(names, said).map((line) => ({ ...line, value: (_, y) => (y == null ? "–" : amount.format(y)) }))],
      axes: [{ ...axis, values: (_, marks) => marks.map((x) => (isTime ? day.format(x * 1000) : amount.format(x))), space: 70 },
        { ...axis, values: (_, marks) => marks.map((y) => amount.format(y)), size: 56 }],
      bands: low && high ? [{ series: [high, low], fill: colour("--pale") }] : [],
      cursor: { drag: { x: false, y: false } },
    }, [first, ...columns], place);
    chart.root.setAttribute("aria-hidden", "true");
    drawn.add({ figure, chart, place });
    const numbers = figure.querySelector("details");
    if (numbers) numbers.open = false;
  }

  window.drawCharts = (root) => {
    for (const one of drawn) if (!one.figure.isConnected) { one.chart.destroy(); drawn.delete(one); }
    for (const figure of root.querySelectorAll("figure[data-chart]")) draw(figure);
  };
  function again() {
    const figures = [...drawn].map((one) => one.figure);
    for (const one of drawn) one.chart.destroy();
    drawn.clear();
    for (const figure of figures) draw(figure);
  }
  let width = innerWidth;
  window.addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; again(); } });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
})();
