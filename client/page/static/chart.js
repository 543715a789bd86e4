// Charts are drawn from the table beside them (uPlot): the table is the truth, and all there is without scripts.
"use strict";
(() => {
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const drawn = new Set();

  function read(table) {
    const rows = [...table.tBodies[0].rows];
    const number = (cell) => (cell?.dataset.value ? Number(cell.dataset.value) : null);
    const heads = [...table.tHead.rows[0].cells];
    const first = rows.map((row) => Number(row.cells[0].dataset.value));
    // An interval is painted before the lines, which would lie below it otherwise.
    const series = heads.map((head, place) => ({ name: head.dataset.series, said: head.textContent.trim(), place })).slice(1)
      .filter((one) => one.name).sort((a, b) => isLine(a) - isLine(b) || a.place - b.place)
      .map((one) => ({ ...one, values: rows.map((row) => number(row.cells[one.place])) }));
    join(series.find((one) => one.name === "past"), series.filter((one) => one.name !== "past"));
    return { first, series, said: heads[0].textContent.trim() };
  }

  const isLine = (one) => one.name !== "low" && one.name !== "high";

  // What is ahead begins where the past ends.
  function join(past, others) {
    const last = past ? past.values.findLastIndex((value) => value != null) : -1;
    if (last < 0) return;
    for (const one of others) if (one.values[last] == null && one.values[last + 1] != null) one.values[last] = past.values[last];
  }

  function lines(series) {
    const looks = {
      past: { stroke: colour("--past"), width: 1.5, fill: colour("--past") + "22" },
      told: { stroke: colour("--brick"), width: 2 },
      ahead: { stroke: colour("--sea"), width: 2.5 },
      low: { stroke: "transparent" },
      high: { stroke: "transparent" },
    };
    const amount = new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: 1 });
    const value = (_, y) => (y == null ? "–" : amount.format(y));
    return series.map((one) => ({ label: one.said, ...looks[one.name], points: { show: false }, value }));
  }

  function draw(figure) {
    const table = figure.querySelector("table"), place = figure.querySelector(".chart");
    const { first, series, said } = read(table);
    if (first.length < 2) return;
    const isTime = figure.dataset.chart !== "price", language = document.documentElement.lang;
    const day = new Intl.DateTimeFormat(language, { day: "numeric", month: "short", timeZone: "UTC" });
    const full = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeZone: "UTC" });
    const amount = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });
    const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "13px system-ui" };
    const at = (name) => series.findIndex((one) => one.name === name) + 1, low = at("low"), high = at("high");
    const chart = new uPlot({
      width: place.clientWidth, height: Math.min(340, Math.max(220, place.clientWidth * 0.42)),
      tzDate: (ts) => uPlot.tzDate(new Date(ts * 1000), "Etc/UTC"),
      scales: { x: { time: isTime }, y: { range: (_, least, most) => [Math.min(0, least), (most || 1) * 1.06] } },
      series: [{ label: said, value: (_, x) => (x == null ? "–" : isTime ? full.format(x * 1000) : amount.format(x)) },
        ...lines(series)],
      axes: [{ ...axis, values: (_, marks) => marks.map((x) => (isTime ? day.format(x * 1000) : amount.format(x))), space: 70 },
        { ...axis, values: (_, marks) => marks.map((y) => amount.format(y)), size: 56 }],
      bands: low && high ? [{ series: [high, low], fill: colour("--pale") }] : [],
      cursor: { drag: { x: false, y: false } },
    }, [first, ...series.map((one) => one.values)], place);
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
