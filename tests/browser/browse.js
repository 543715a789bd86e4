// Look at pages in a real browser: node browse.js, with a JSON order on standard input; a JSON line for each page.
"use strict";
const fs = require("fs");
const puppeteer = require("puppeteer-core");

// What a person does with a mouse: a step is [what, where, with what].
const SECONDS = 240;
async function take(page, [what, at, value]) {
  const found = at && what !== "await" && what !== "picture" ? await page.waitForSelector(at, { timeout: 1000 * SECONDS }) : null;
  if (what === "await") await page.waitForFunction((text) => document.body.innerText.includes(text), { timeout: 1000 * (value ?? SECONDS) }, at);
  else if (what === "picture") await page.screenshot({ path: at, fullPage: true });
  else if (what === "click") await found.click();
  else if (what === "send") await Promise.all([page.waitForNavigation({ timeout: 1000 * SECONDS }), found.click()]);
  else if (what === "select") await page.select(at, value);
  else if (what === "file") await found.uploadFile(value);
  else if (what === "write") {
    await found.evaluate((field, text) => {
      field.value = text;
      field.dispatchEvent(new Event("input", { bubbles: true }));
      field.dispatchEvent(new Event("change", { bubbles: true }));
    }, value);
  } else if (what === "drop") {
    await found.evaluate((zone, [name, text]) => {
      const data = new DataTransfer();
      data.items.add(new File([text], name, { type: "text/csv" }));
      for (const kind of ["dragenter", "dragover", "drop"]) zone.dispatchEvent(new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer: data }));
    }, value);
  } else throw new Error(`no step is called ${what}`);
}

// A page that something goes on in loads itself anew now and then: what was asked of the one before is asked again.
const steadily = async (page, look, ...given) => {
  for (let times = 0; ; times += 1) {
    try { return await page.evaluate(look, ...given); }
    catch (error) {
      if (times === 5 || !error.message.includes("context was destroyed")) throw error;
      await page.waitForFunction(() => document.readyState === "complete", { timeout: 60000 });
    }
  }
};

(async () => {
  const order = JSON.parse(fs.readFileSync(0, "utf8"));
  const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
  const browser = await puppeteer.launch({ executablePath: order.browser, args: ["--no-sandbox", "--disable-gpu"] });
  const page = await browser.newPage();
  const told = [];
  page.on("console", (message) => { if (message.type() === "error") told.push(message.text()); });
  page.on("pageerror", (error) => told.push(error.message));
  page.on("request", (request) => {
    if (!request.url().startsWith(order.address) && !request.url().startsWith("data:")) told.push(`asked ${request.url()}`);
  });
  if (order.open.startsWith("file:")) {
    await page.goto(order.open);
    await page.waitForFunction((address) => location.href === `${address}/`, { timeout: 60000 }, order.address);
  } else await page.goto(order.address + order.open);
  for (const view of order.views) {
    told.length = 0;
    await page.setExtraHTTPHeaders({ "accept-language": view.language });
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: view.dark ? "dark" : "light" }]);
    await page.setViewport({ width: view.width, height: 900 });
    let bytes = 0;
    const count = (answer) => { bytes += Number(answer.headers()["content-length"] ?? 0); };
    page.on("response", count);
    const answer = await page.goto(order.address + view.path, { waitUntil: "load" });
    if (view.until) await page.waitForFunction((text) => document.body.innerText.includes(text), { timeout: 240000 }, view.until);
    page.off("response", count);
    const timing = await steadily(page, () => performance.getEntriesByType("navigation")[0].loadEventEnd);
    const wide = await steadily(page, () => document.documentElement.scrollWidth - innerWidth);
    const faults = await steadily(page, async (source) => {
      new Function(source)();
      const found = await window.axe.run(document, { resultTypes: ["violations"] });
      return { passes: found.passes.length, found: found.violations.map((each) => `${each.impact}: ${each.id}: ${each.nodes[0].html.slice(0, 200)}`) };
    }, axe);
    if (view.picture) await page.screenshot({ path: view.picture, fullPage: true });
    const keys = [];
    for (const key of view.keys ?? []) {
      if (key.startsWith("type ")) await page.keyboard.type(key.slice(5));
      else if (key.startsWith("tab to ")) {
        for (let step = 0; step < 300; step += 1) {
          await page.keyboard.press("Tab");
          if (await page.evaluate((name) => document.activeElement?.matches(name), key.slice(7))) { keys.push(step + 1); break; }
        }
      } else if (key === "send") await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
      else await page.keyboard.press(key);
    }
    for (const step of view.steps ?? []) await take(page, step);
    const text = await steadily(page, () => document.body.innerText);
    const line = { path: view.path, language: view.language, width: view.width, status: answer.status(), told: [...told], bytes, timing, wide, axe: faults, keys, at: page.url(), text };
    process.stdout.write(JSON.stringify(line) + "\n");
  }
  await browser.close();
})().catch((error) => { process.stderr.write(`${error.stack}\n`); process.exit(1); });
