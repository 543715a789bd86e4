// What makes the page smoother where scripts run. Without them every link leads somewhere and every form is sent.
"use strict";
(() => {
  const status = document.getElementById("status");

  // A link or form with data-into="ID" replaces that part alone: the whole page is asked for, and its part taken.
  const asked = new Map();
  async function replacePart(id, url, options, push) {
    const part = document.getElementById(id);
    asked.get(id)?.abort();
    const one = new AbortController();
    asked.set(id, one);
    part.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(url, { ...options, signal: one.signal, credentials: "same-origin" });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById(id);
      if (!fresh || !answer.ok) return location.assign(url);
      const focus = document.activeElement?.id;
      document.getElementById(id).replaceWith(fresh);
      if (focus && !document.activeElement?.id) document.getElementById(focus)?.focus();
      if (push) history.pushState({}, "", answer.redirected ? answer.url : url);
      if (status) status.textContent = fresh.dataset.said ?? page.title;
      prepare(fresh);
    } catch (error) {
      if (error.name !== "AbortError") location.reload();
    }
  }

  function send(form, push) {
    const values = new URLSearchParams(new FormData(form));
    const url = new URL(form.action);
    if (form.method === "post") return replacePart(form.dataset.into, url, { method: "post", body: values }, false);
    url.search = values;
    return replacePart(form.dataset.into, url, {}, push);
  }

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.submitter?.name || !form.dataset.into || form.enctype === "multipart/form-data") return;
    event.preventDefault();
    send(form, true);
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[data-into]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    replacePart(link.dataset.into, link.href, {}, true);
  });
  window.addEventListener("popstate", () => location.reload());

  // A slider says its number while it moves, and asks when it rests; so does a search.
  let rest = 0;
  document.addEventListener("input", (event) => {
    const field = event.target;
    const output = field.id && document.querySelector(`output[for="${CSS.escape(field.id)}"]`);
    if (output) output.textContent = (field.dataset.sign && field.value > 0 ? "+" : "") + field.value + (field.dataset.unit ?? "");
    if (!field.form?.hasAttribute("data-live")) return;
    clearTimeout(rest);
    rest = setTimeout(() => send(field.form, false), 350);
  });

  // What is still being made asks again by itself.
  function wait(part) {
    const seconds = Number(part.dataset.again);
    if (seconds > 0) setTimeout(() => part.isConnected && replacePart(part.id, location.href, {}, false), 1000 * seconds);
  }

  // Sums of an order that is being edited.
  function addUp(table) {
    let sum = 0;
    for (const field of table.querySelectorAll("input[data-cost]")) sum += Number(field.value) * Number(field.dataset.cost);
    const place = table.querySelector("[data-sum]");
    if (place && Number.isFinite(sum)) {
      place.textContent = new Intl.NumberFormat(document.documentElement.lang, { style: "currency", currency: place.dataset.sum }).format(sum);
    }
  }
  document.addEventListener("input", (event) => {
    if (event.target.dataset?.cost !== undefined) addUp(event.target.closest("table"));
  });

  // Files that are dropped; how much of them has arrived is shown.
  function prepareDrop(zone) {
    const form = zone.closest("form"), field = zone.querySelector("input[type=file]"), bar = form.querySelector("progress");
    for (const name of ["dragenter", "dragover"]) {
      zone.addEventListener(name, (event) => { event.preventDefault(); zone.classList.add("over"); });
    }
    for (const name of ["dragleave", "drop"]) zone.addEventListener(name, () => zone.classList.remove("over"));
    zone.addEventListener("drop", (event) => { event.preventDefault(); field.files = event.dataTransfer.files; });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const request = new XMLHttpRequest();
      bar.hidden = false;
      request.upload.addEventListener("progress", (e) => { if (e.lengthComputable) bar.value = e.loaded / e.total; });
      request.addEventListener("load", () => {
        const page = new DOMParser().parseFromString(request.responseText, "text/html");
        if (request.responseURL && request.status < 400) return location.assign(request.responseURL);
        const fresh = page.getElementById("main");
        if (fresh) { document.getElementById("main").replaceWith(fresh); prepare(fresh); } else location.reload();
      });
      request.addEventListener("error", () => location.reload());
      request.open("post", form.action);
      request.send(new FormData(form));
    });
  }

  function prepare(root) {
    for (const part of [root, ...root.querySelectorAll("[data-again]")]) if (part.dataset?.again) wait(part);
    for (const zone of root.querySelectorAll(".drop")) prepareDrop(zone);
    for (const button of root.querySelectorAll("[data-print]")) {
      button.hidden = false;
      button.addEventListener("click", () => window.print());
    }
    window.drawCharts?.(root);
  }
  prepare(document.body);
})();
