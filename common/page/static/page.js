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
      if (push) history[push === "replace" ? "replaceState" : "pushState"]({}, "", answer.redirected ? answer.url : url);
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
    if (event.submitter?.name || !form.dataset.into) return;
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

  let written = false;
  document.addEventListener("input", (event) => { written ||= event.target.form?.method === "post"; });

  // A slider says its number while it moves, and asks when it rests; so does a search.
  let rest = 0;
  document.addEventListener("input", (event) => {
    const field = event.target;
    const output = field.id && document.querySelector(`output[for="${CSS.escape(field.id)}"]`);
    if (output) output.textContent = ("sign" in field.dataset && field.value > 0 ? "+" : "") + field.value + (field.dataset.unit ?? "");
    if (!field.form?.hasAttribute("data-live")) return;
    clearTimeout(rest);
    rest = setTimeout(() => send(field.form, "replace"), 350);
  });

  // What is still being made asks again by itself.
  function wait(part) {
    const seconds = Number(part.dataset.again);
    if (seconds > 0) setTimeout(() => part.isConnected && askAgain(part), 1000 * seconds);
  }
  async function askAgain(part) {
    if (part.hasAttribute("data-whole")) return location.reload();
    await replacePart(part.id, location.href, {}, false);
    const fresh = document.getElementById(part.id);  // newer forecasts are there: show them, unless something is being written
    if (part.id === "making" && fresh && !fresh.dataset.again && !written) location.reload();
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

  // A file that is dropped or chosen is sent as it is; how much of it has arrived is shown.
  function prepareUpload(form) {
    const zone = form.querySelector(".drop"), field = form.querySelector("input[type=file]"), bar = form.querySelector("progress");
    form.hidden = false;
    for (const name of ["dragenter", "dragover"]) {
      zone.addEventListener(name, (event) => { event.preventDefault(); zone.classList.add("over"); });
    }
    for (const name of ["dragleave", "drop"]) zone.addEventListener(name, () => zone.classList.remove("over"));
    zone.addEventListener("drop", (event) => { event.preventDefault(); field.files = event.dataTransfer.files; });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const file = field.files[0], request = new XMLHttpRequest(), url = new URL(form.action);
      const source = form.elements.source.value;
      url.search = new URLSearchParams(source === "+" ? { name: file.name, add: true } : { name: file.name, source });
      bar.hidden = false;
      request.upload.addEventListener("progress", (e) => { if (e.lengthComputable) bar.value = e.loaded / e.total; });
      request.addEventListener("load", () => {
        if (request.status < 300) return location.assign(form.dataset.then);
        const said = form.querySelector("[role=alert]");
        bar.hidden = true;
        said.hidden = false;
        said.textContent = request.response?.error?.message ?? request.statusText;
      });
      request.addEventListener("error", () => location.reload());
      request.responseType = "json";
      request.open("post", url);
      request.setRequestHeader("content-type", "application/octet-stream");
      request.setRequestHeader("x-hansa-csrf", form.dataset.upload);
      request.send(file);
    });
  }

  // A file that is chosen becomes the text of a field, which is what the form sends.
  function prepareText(field) {
    const text = document.getElementById(field.dataset.text);
    field.closest(".field").hidden = false;
    field.addEventListener("change", async () => { if (field.files[0]) text.value = await field.files[0].text(); });
  }

  function prepare(root) {
    for (const field of root.querySelectorAll("input[data-text]")) prepareText(field);
    for (const part of [root, ...root.querySelectorAll("[data-again]")]) if (part.dataset?.again) wait(part);
    for (const form of root.querySelectorAll("form[data-upload]")) prepareUpload(form);
    for (const button of root.querySelectorAll("[data-print]")) {
      button.hidden = false;
      button.addEventListener("click", () => window.print());
    }
    window.drawCharts?.(root);
  }
  document.querySelector(".menu [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  prepare(document.body);
})();
