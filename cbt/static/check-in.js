// Check-in at the door, with or without the network. Without this file the forms check in online.
"use strict";

const root = document.getElementById("check-in");
const facts = root.dataset;
const find = (selector) => root.querySelector(selector);
const template = document.getElementById("check-in-words").content;
const ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ";
const VOUCHER = /^(1\.(B-[0-9A-Z]{4,12})\.([1-9][0-9]{0,17})\.(\d{4})(\d\d)(\d\d)\.([1-9][0-9]{0,3}))\.([A-Za-z0-9_-]{86})$/;
const MOST_AT_ONCE = 100;
const EVERY = 30000;

// --- words ---------------------------------------------------------------------------------------

const asIs = (text) => {
  const span = document.createElement("span");
  span.translate = false;
  span.className = "as-is";
  span.textContent = text;
  return span;
};
// A sentence of the page with its places {1}, {2} filled by text or elements.
const words = (name, ...values) => {
  const parts = template.querySelector(`[data-word=${name}]`).textContent.split(/\{(\d)\}/);
  const sentence = document.createElement("span");
  sentence.append(...parts.map((part, index) => (index % 2 ? values[part - 1] : part)));
  return sentence;
};
const icon = (name) => template.querySelector(`[data-icon=${name}] svg`).cloneNode(true);
const hour = (instant) => new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: facts.zone }).format(new Date(instant));
const dayWords = (day) => {
  const locale = document.documentElement.lang === "th" ? "th-TH-u-ca-buddhist" : "en-GB";
  return new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" }).format(new Date(day));
};
const say = (tone, sentence) => {
  const said = find("[data-said]");
  said.className = `said ${tone}`;
  said.replaceChildren(sentence);
};

// --- what this device keeps: scans by code and time, never names ---------------------------------

const store = (kind, name) => `check-in/${facts.slug}/${kind}/${name}`;
const keep = (name, value) => localStorage.setItem(name, JSON.stringify(value));
const kept = (prefix) =>
  Object.keys(localStorage)
    .filter((name) => name.startsWith(prefix))
    .map((name) => JSON.parse(localStorage.getItem(name)));
const ownScans = () => kept(store("scan", ""));
const random = (length) => Array.from(crypto.getRandomValues(new Uint8Array(length)), (n) => ALPHABET[n % ALPHABET.length]).join("");
const device = (() => {
  try {
    if (!localStorage.getItem("check-in/device")) localStorage.setItem("check-in/device", random(4));
    return localStorage.getItem("check-in/device");
  } catch {
    return null; // storage is switched off
  }
})();
const dropOld = () => {
  for (const scan of ownScans()) {
    if (scan.state !== "waiting" && scan.on < facts.day) localStorage.removeItem(store("scan", scan.key));
  }
  for (const name of Object.keys(localStorage)) {
    if (name.startsWith(store("known", "")) && name < store("known", facts.day)) localStorage.removeItem(name);
  }
};

// --- the list ------------------------------------------------------------------------------------

const rows = new Map([...root.querySelectorAll("[data-reference]")].map((row) => [row.dataset.reference, row]));
const printed = [...root.querySelectorAll("[data-scan]")].map((line) => ({
  key: line.dataset.scan,
  reference: line.closest("[data-reference]").dataset.reference,
  device: line.dataset.device,
  people: Number(line.dataset.people),
  scanned_at: line.dataset.at,
}));
const nameOf = (row) => asIs(row.querySelector("[data-name]").textContent.trim());

// Every scan that this device knows of: printed in the page, told by the server, and its own.
const scansOf = (reference) => {
  const known = JSON.parse(localStorage.getItem(store("known", facts.day)) ?? "[]");
  const own = ownScans().filter((scan) => scan.state !== "refused");
  const byKey = new Map([...own, ...printed, ...known].map((scan) => [scan.key, scan]));
  return [...byKey.values()]
    .filter((scan) => scan.reference === reference)
    .sort((one, other) => Date.parse(one.scanned_at) - Date.parse(other.scanned_at));
};
const missing = (row, scans) => Math.max(0, Number(row.dataset.places) - scans.reduce((sum, scan) => sum + scan.people, 0));

const showRow = (row) => {
  const scans = scansOf(row.dataset.reference);
  const waiting = new Set(ownScans().filter((scan) => scan.state === "waiting").map((scan) => scan.key));
  const isConflict = new Set(scans.map((scan) => scan.device)).size > 1;
  const left = missing(row, scans);
  row.classList.toggle("here", scans.length > 0);
  row.classList.toggle("look", isConflict);
  row.querySelector("[data-conflict]").hidden = !isConflict;
  row.querySelector("[data-scans]").replaceChildren(
    ...scans.map((scan) => {
      const line = document.createElement("li");
      line.append(icon("check"), words("came", String(scan.people), hour(scan.scanned_at), asIs(scan.device)));
      if (waiting.has(scan.key)) line.append(" · ", words("unsent"));
      return line;
    }),
  );
  row.querySelector("[data-party]").hidden = left === 0;
  return scans.length > 0;
};
const showOthers = () => {
  const others = ownScans().filter((scan) => scan.on === facts.day && (scan.state === "refused" || !rows.has(scan.reference)));
  find("[data-others]").replaceChildren(
    ...others.map((scan) => {
      const line = document.createElement("li");
      const word = scan.elsewhere ? "elsewhere" : { waiting: "waits", refused: "refused", taken: "taken" }[scan.state];
      line.className = { elsewhere: "bad", refused: "bad", taken: "good", waits: "" }[word];
      line.append(words(word, asIs(scan.reference), scan.elsewhere ? dayWords(scan.elsewhere) : ""));
      return line;
    }),
  );
};
const show = () => {
  const here = [...rows.values()].filter(showRow).length;
  find("[data-here]")?.replaceChildren(words("here", String(here), String(rows.size)));
  showOthers();
};

// --- checking in ---------------------------------------------------------------------------------

const checkIn = (reference, people) => {
  const key = `${device}-${random(16)}`;
  const scan = { key, reference, device, people, scanned_at: new Date().toISOString(), on: facts.day, state: "waiting" };
  try {
    keep(store("scan", key), scan);
  } catch {
    say("bad", words("full"));
    return false;
  }
  show();
  sync();
  return true;
};
const checkInRow = (row, people) => {
  const left = missing(row, scansOf(row.dataset.reference));
  if (left === 0) say("bad", words("already", nameOf(row)));
  else if (checkIn(row.dataset.reference, Math.min(people || left, left))) say("good", words("checked", nameOf(row)));
};
const checkInUnlisted = (reference, people) => {
  if (ownScans().some((scan) => scan.reference === reference && scan.on === facts.day && scan.state !== "refused")) say("bad", words("already", asIs(reference)));
  else if (checkIn(reference, people)) say("", words("unlisted", asIs(reference)));
};

const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
// A signature of 64 bytes ends in one of four letters; others would spell it a second time.
const isOurs = async (said, signature) => {
  if (!/[AQgw]$/.test(signature)) return false;
  const curve = { name: "ECDSA", namedCurve: "P-256" };
  const key = await crypto.subtle.importKey("raw", bytes(facts.key), curve, false, ["verify"]);
  return crypto.subtle.verify({ name: "ECDSA", hash: "SHA-256" }, key, bytes(signature), new TextEncoder().encode(said));
};
const takeVoucher = async (code) => {
  const [, said, reference, departure, year, month, day, places, signature] = code.match(VOUCHER) ?? [];
  if (!said) return say("bad", words("forged"));
  if (!crypto.subtle) return say("bad", words("cannot_check"));
  if (!(await isOurs(said, signature))) return say("bad", words("forged"));
  const row = rows.get(reference);
  const on = `${year}-${month}-${day}`;
  if (on !== facts.day) return say("bad", words(row ? "other_day_listed" : "other_day", dayWords(on)));
  if (!row) return checkInUnlisted(reference, Number(places));
  row.scrollIntoView({ block: "center" });
  if (row.dataset.departure !== departure) return say("bad", words("moved"));
  return checkInRow(row);
};
const takeShort = (text) => {
  const letters = text.toUpperCase().replace(/[^0-9A-Z]/g, "");
  const reference = `B-${letters.length === 7 && letters.startsWith("B") ? letters.slice(1) : letters}`;
  const row = rows.get(reference);
  if (row) return checkInRow(row);
  const named = [...rows.values()].filter((each) => fits(each, text));
  if (named.length > 1) return say("", words("several"));
  if (named.length === 1) {
    named[0].querySelector("button")?.focus();
    return say("", words("found", nameOf(named[0])));
  }
  if (!/^B-[2-9A-HJKMNP-TV-Z]{6}$/.test(reference)) return say("bad", words("unknown"));
  return checkInUnlisted(reference, 999); // all of it: how many that is, the server knows
};
// What the camera saw or a person typed: one way for both.
const take = (text) => {
  const code = text.trim().split("/v/").pop().split(/[?#]/)[0];
  return code.startsWith("1.") ? takeVoucher(code) : takeShort(text.trim());
};

const fits = (row, text) => {
  const wanted = text.trim().toLocaleLowerCase();
  return [row.querySelector("[data-name]").textContent, row.dataset.reference].some((each) => each.toLocaleLowerCase().includes(wanted));
};
const code = find("#code");
code.addEventListener("input", () => {
  for (const row of rows.values()) row.hidden = ![...rows.values()].some((each) => fits(each, code.value)) ? false : !fits(row, code.value);
});
find("[data-find]").addEventListener("submit", async (event) => {
  if (!device) return;
  event.preventDefault();
  const text = code.value;
  if (!text.trim()) return;
  code.value = "";
  for (const row of rows.values()) row.hidden = false;
  await take(text);
});
for (const row of rows.values()) {
  row.querySelector("[data-party]").addEventListener("submit", (event) => {
    if (!device) return;
    event.preventDefault();
    checkInRow(row, Number(event.currentTarget.elements.people.value));
  });
}

// --- the camera ----------------------------------------------------------------------------------

const canScan = async () => {
  if (!("BarcodeDetector" in window) || !navigator.mediaDevices) return false;
  return (await BarcodeDetector.getSupportedFormats()).includes("qr_code");
};
const scan = async () => {
  const video = find("[data-camera]");
  if (video.srcObject) {
    for (const track of video.srcObject.getTracks()) track.stop();
    video.srcObject = null;
    video.hidden = true;
    return;
  }
  try {
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch {
    say("bad", words("camera_refused"));
    return;
  }
  video.hidden = false;
  await video.play();
  const detector = new BarcodeDetector({ formats: ["qr_code"] });
  let last = "";
  const look = async () => {
    if (!video.srcObject) return;
    const [seen] = await detector.detect(video).catch(() => []);
    if (seen && seen.rawValue !== last) {
      last = seen.rawValue;
      navigator.vibrate?.(60);
      await take(last);
    }
    setTimeout(look, 250);
  };
  look();
};
canScan().then((can) => {
  find("[data-start-scan]").hidden = !can;
  find("[data-no-camera]").hidden = can;
});
find("[data-start-scan]").addEventListener("click", scan);

// --- sending -------------------------------------------------------------------------------------

let token = find("[name=csrf_token]").value; // of the session in which this page was loaded
let isSending = false;
let isGone = false;

// Whether this person is still signed in; if so, with the token of today's session.
const freshToken = async () => {
  const answer = await fetch(`${facts.sync.replace(/\/scans$/, "")}?on=${facts.day}`);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  token = page.querySelector("#check-in [name=csrf_token]")?.value;
  return Boolean(token);
};
const send = (on, scans) =>
  fetch(facts.sync, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRFToken": token ?? "" },
    body: JSON.stringify({ on, scans: scans.map(({ key, reference, device, people, scanned_at }) => ({ key, reference, device, people, scanned_at })) }),
    signal: AbortSignal.timeout?.(20000),
  });
const note = (scans, told) => {
  for (const scan of scans) {
    const state = told.taken.includes(scan.key) ? "taken" : "refused";
    keep(store("scan", scan.key), { ...scan, state, elsewhere: told.elsewhere[scan.reference] });
  }
};
const network = (word, value) => find("[data-network]").replaceChildren(words(word, value));

const sync = async () => {
  if (isSending || !device) return;
  isSending = true;
  const waiting = ownScans().filter((scan) => scan.state === "waiting");
  const on = waiting[0]?.on ?? facts.day; // what was scanned on another day goes with its own list
  const batch = waiting.filter((scan) => scan.on === on).slice(0, MOST_AT_ONCE);
  let more = false;
  try {
    let answer = await send(on, batch);
    if (answer.status === 400 && (await freshToken())) answer = await send(on, batch);
    if (answer.status === 403 || !token) await forget("signed_out", String(waiting.length));
    else if (answer.ok) {
      const told = await answer.json();
      note(batch, told);
      if (batch.some((scan) => !rows.has(scan.reference))) find("[data-said]").replaceChildren(); // the list below says it
      const isChanged = told.references.length !== rows.size || told.references.some((each) => !rows.has(each));
      if (on === facts.day && !isGone) keep(store("known", on), told.arrivals);
      network(on === facts.day && isChanged && !isGone ? "changed" : "all_sent", hour(Date.now()));
      show();
      more = ownScans().some((scan) => scan.state === "waiting");
    } else network("failed", String(waiting.length));
  } catch {
    network("waiting", String(waiting.length));
  } finally {
    isSending = false;
  }
  if (more) sync();
};

// --- keeping the lists, and letting them go ------------------------------------------------------

const files = () => [
  ...[...document.querySelectorAll("link[rel=stylesheet], link[rel=icon]")].map((link) => link.href),
  ...[...document.querySelectorAll("script[src], img[src]")].map((each) => each.src),
  ...(facts.fonts ?? "").split(" ").filter(Boolean),
];
const tell = async (what) => {
  const registered = await navigator.serviceWorker.ready;
  const { port1, port2 } = new MessageChannel();
  const answered = new Promise((done) => port1.addEventListener("message", (event) => done(event.data)));
  port1.start();
  registered.active.postMessage(what, [port2]);
  return answered;
};
const keepLists = async () => {
  const shown = find("[data-kept]");
  try {
    shown.replaceChildren(words("keeping"));
    await navigator.serviceWorker.register(facts.worker, { scope: facts.scope });
    const done = await tell({ keep: { lists: facts.lists.split(" "), files: files() } });
    shown.replaceChildren(words(done.kept ? "kept" : "not_kept"));
  } catch {
    shown.replaceChildren(words("not_kept"));
  }
};
const forget = async (word, value) => {
  isGone = true;
  find("[data-list]").replaceChildren();
  rows.clear();
  for (const name of Object.keys(localStorage)) if (name.startsWith(store("known", ""))) localStorage.removeItem(name);
  find("[data-kept]").replaceChildren(words(word, value));
  if (word === "signed_out") find("[data-network]").replaceChildren();
  for (const name of await (window.caches?.keys() ?? [])) if (name.startsWith("check-in")) await caches.delete(name);
};
const watch = () => {
  if (!isGone && Date.now() >= Date.parse(facts.overAt)) forget("over");
};

if (device) {
  find("[data-device-card]").hidden = false;
  find("#device .as-is").textContent = device;
  find("[data-forget]")?.addEventListener("click", () => forget("removed"));
  dropOld();
  show();
  sync();
  if (facts.worker) {
    if ("serviceWorker" in navigator) keepLists();
    else find("[data-kept]").replaceChildren(words("not_kept"));
    watch();
    setInterval(watch, EVERY);
  }
  setInterval(sync, EVERY);
  window.addEventListener("online", sync);
  document.addEventListener("visibilitychange", () => document.hidden || sync());
  window.addEventListener("storage", show);
}
