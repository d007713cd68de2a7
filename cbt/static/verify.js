// Checks a statement's code on this device: the tree (RFC 6962), and Ed25519 signatures (RFC 8032).
// Where the browser has Ed25519 of its own it is used; older telephones compute it here, slowly.
"use strict";

const P = 2n ** 255n - 19n;
const L = 2n ** 252n + 27742317777372353535851937790883648493n;
const mod = (n) => ((n % P) + P) % P;
const power = (base, exponent) => {
  let result = 1n;
  for (base = mod(base); exponent; exponent >>= 1n, base = mod(base * base)) if (exponent & 1n) result = mod(result * base);
  return result;
};
const D = mod(-121665n * power(121666n, P - 2n));
const ROOT_OF_MINUS_1 = power(2n, (P - 1n) / 4n);

const add = (a, b) => {
  const one = mod((a[1] - a[0]) * (b[1] - b[0]));
  const two = mod((a[1] + a[0]) * (b[1] + b[0]));
  const three = mod(2n * a[3] * b[3] * D);
  const four = mod(2n * a[2] * b[2]);
  const [e, f, g, h] = [two - one, four - three, four + three, two + one];
  return [mod(e * f), mod(g * h), mod(f * g), mod(e * h)];
};
const times = (number, point) => {
  let result = [0n, 1n, 1n, 0n];
  for (; number; number >>= 1n, point = add(point, point)) if (number & 1n) result = add(result, point);
  return result;
};
const isSame = (a, b) => mod(a[0] * b[2] - b[0] * a[2]) === 0n && mod(a[1] * b[2] - b[1] * a[2]) === 0n;
const findX = (y, odd) => {
  if (y >= P) return null;
  const square = mod((y * y - 1n) * power(mod(D * y * y + 1n), P - 2n));
  if (square === 0n) return odd ? null : 0n;
  let x = power(square, (P + 3n) / 8n);
  if (mod(x * x - square)) x = mod(x * ROOT_OF_MINUS_1);
  if (mod(x * x - square)) return null;
  return (x & 1n) === odd ? x : P - x;
};
const number = (bytes) => bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
const readPoint = (bytes) => {
  const packed = number(bytes);
  const y = packed & (2n ** 255n - 1n);
  const x = findX(y, packed >> 255n);
  return x === null ? null : [x, y, 1n, mod(x * y)];
};
const BASE_Y = mod(4n * power(5n, P - 2n));
const BASE_X = findX(BASE_Y, 0n);
const BASE = [BASE_X, BASE_Y, 1n, mod(BASE_X * BASE_Y)];

const join = (...parts) => {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((at, part) => (whole.set(part, at), at + part.length), 0);
  return whole;
};
const hash = async (name, bytes) => new Uint8Array(await crypto.subtle.digest(name, bytes));

const isSignedHere = async (message, signature, key) => {
  const [point, commitment, answer] = [readPoint(key), readPoint(signature.subarray(0, 32)), number(signature.subarray(32))];
  if (!point || !commitment || answer >= L) return false;
  const challenge = number(await hash("SHA-512", join(signature.subarray(0, 32), key, message))) % L;
  return isSame(times(answer, BASE), add(commitment, times(challenge, point)));
};
const isSigned = async (message, signature, key) => {
  if (signature.length !== 64 || key.length !== 32) return false;
  let own;
  try {
    own = await crypto.subtle.importKey("raw", key, { name: "Ed25519" }, false, ["verify"]);
  } catch {
    return isSignedHere(message, signature, key);
  }
  return crypto.subtle.verify({ name: "Ed25519" }, own, signature, message);
};

// --- the code ------------------------------------------------------------------------------------

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const utf8 = (text) => new TextEncoder().encode(text);
const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
const unpack = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (sign) => sign.charCodeAt(0));
const boardCode = (record) => {
  const bits = [...record.subarray(0, 10)].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  return bits.match(/.{5}/g).map((five) => letters[parseInt(five, 2)]).join("").match(/.{4}/g).join("-");
};

const climb = async (leaf, index, size, path) => {
  if (!(index >= 0 && index < size)) return null;
  const left = [];
  for (let at = index, width = size; width > 1; at = Math.floor(at / 2), width = Math.ceil(width / 2)) {
    if ((at ^ 1) < width) left.push(at % 2 === 1);
  }
  if (left.length !== path.length) return null;
  for (const [level, beside] of path.entries()) {
    leaf = await hash("SHA-256", left[level] ? join([1], beside, leaf) : join([1], leaf, beside));
  }
  return leaf;
};

const read = async (code) => {
  const f = code.split(".");
  const NUMBER = /^-?(0|[1-9][0-9]{0,17})$/;
  const sums = f.slice(4, 11);
  if (f.length < 16 || f[0] !== "s1" || ![...sums, f[12], f[13]].every((each) => NUMBER.test(each))) return null;
  if (!/^[0-9]{4}-[0-9]{2}$/.test(f[2]) || !f.slice(16).every((each) => /^[ptm][0-9a-f]{12}[A-Za-z0-9_-]{86}$/.test(each))) return null;
  const [opening, earned, recovered, paid, other, owed, count] = sums.map(BigInt);
  const closing = opening + earned + recovered + paid + other;
  const digest = hex(unpack(f[11]));
  const head =
    `cbt-statement/1\ncommunity:${f[1]}\nperiod:${f[2]}\nhousehold:${f[3]}\nopening:${opening}\nearned:${earned}\n` +
    `recovered:${recovered}\npaid_out:${paid}\nother:${other}\nclosing:${closing}\nowed:${owed}\nlines:${count}\ndigest:${digest}\n`;
  const packed = unpack(f[14]);
  const path = [];
  for (let at = 0; at < packed.length; at += 32) path.push(packed.subarray(at, at + 32));
  const leaf = await hash("SHA-256", join([0], utf8(head)));
  const root = await climb(leaf, Number(f[12]), Number(f[13]), path);
  const record = unpack(f[15]);
  const seal = `cbt-seal/1\ncommunity:${f[1]}\nperiod:${f[2]}\nrecord:${hex(record)}\nstatements:${root ? hex(root) : "-"}\nhouseholds:${f[13]}\n`;
  const signed = f.slice(16).map((each) => ({ role: each[0], key: each.slice(1, 13), signature: unpack(each.slice(13)) }));
  return { community: f[1], month: f[2], household: f[3], head, digest, opening, earned, recovered, paid, other, closing, root, record, seal, signed };
};

const readKeys = async (text, community) => {
  const keys = new Map();
  for (const line of text.split("\n").filter((each) => each && !each.startsWith("#"))) {
    const [role, whose, key] = line.trim().split(/\s+/);
    if (whose !== (role === "platform" ? "-" : community)) continue;
    const bytes = unpack(key);
    keys.set(role[0] + hex(await hash("SHA-256", bytes)).slice(0, 12), bytes);
  }
  return keys;
};

// --- the page ------------------------------------------------------------------------------------

const page = document.querySelector("#verify");
const part = (name) => page.querySelector(`[data-${name}]`);
const show = (name, yes) => { part(name).hidden = !yes; };
let shown = null;

const baht = (satang) => {
  const whole = satang < 0n ? -satang : satang;
  const text = `${(whole / 100n).toLocaleString("en")}.${String(whole % 100n).padStart(2, "0")}`;
  return (satang < 0n ? "−" : "") + page.dataset.nothing.replace("0.00", text);
};
const monthWords = (month) => {
  const [year, number] = month.split("-").map(Number);
  const locale = document.documentElement.lang === "th" ? "th-TH-u-ca-buddhist" : "en-GB";
  return new Intl.DateTimeFormat(locale, { month: "long", year: "numeric", timeZone: "UTC" }).format(new Date(Date.UTC(year, number - 1, 1)));
};

const check = async (typed) => {
  const code = typed.trim().split("#").pop();
  let found = null;
  try {
    found = await read(code);
  } catch {
    found = null; // not base64: nobody's code
  }
  shown = found;
  show("result", true);
  show("unreadable", !found);
  show("found", Boolean(found));
  show("lines", Boolean(found));
  for (const name of ["good", "bad", "lines-good", "lines-bad"]) show(name, false);
  if (!found) return;
  if (found.community !== page.dataset.slug && /^[a-z0-9-]+$/.test(found.community)) {
    location.assign(`${page.dataset.pages}/${found.community}#${code}`);
    return;
  }
  part("month").textContent = monthWords(found.month);
  part("household").textContent = found.household;
  for (const name of ["opening", "earned", "recovered", "paid", "other", "closing"]) part(name).textContent = baht(found[name]);
  part("board").textContent = boardCode(found.record);
  const keys = await readKeys(part("keys").textContent, found.community);
  let platform = false;
  let all = Boolean(found.root);
  const answers = new Map();
  for (const { role, key, signature } of found.signed) {
    const known = keys.get(role + key);
    const holds = Boolean(found.root && known && (await isSigned(utf8(found.seal), signature, known)));
    answers.set(role, holds);
    all &&= holds;
    platform ||= holds && role === "p";
  }
  for (const row of page.querySelectorAll("[data-signer]")) {
    const holds = answers.get(row.dataset.signer);
    row.className = holds === undefined ? "no_data" : holds ? "pass" : "fail";
    for (const [name, yes] of [["yes", holds === true], ["no", holds === false], ["none", holds === undefined]]) {
      for (const each of row.querySelectorAll(`[data-${name}]`)) each.hidden = !yes;
    }
  }
  show("good", platform && all);
  show("bad", !(platform && all));
};

part("form").addEventListener("submit", (event) => {
  event.preventDefault();
  check(page.querySelector("#code").value);
});
page.querySelector("#file").addEventListener("change", async (event) => {
  const [file] = event.target.files;
  if (!file || !shown) return;
  const text = await file.text();
  const lines = text.slice(shown.head.length);
  const fits = text.startsWith(shown.head) && hex(await hash("SHA-256", utf8(lines))) === shown.digest;
  show("lines-good", fits);
  show("lines-bad", !fits);
});
const fromAddress = () => {
  if (location.hash.length < 20) return;
  page.querySelector("#code").value = location.hash.slice(1);
  check(location.hash);
};
addEventListener("hashchange", fromAddress);
fromAddress();

// Keep this page for where there is no network.
const keep = async () => {
  const { worker, pages, fonts } = page.dataset;
  const registration = await navigator.serviceWorker.register(worker, { scope: pages });
  const active = registration.active ?? (await navigator.serviceWorker.ready).active;
  const files = [...document.querySelectorAll("script[src], link[rel=stylesheet]")].map((each) => each.src || each.href);
  active.postMessage({ keep: { page: location.pathname, files: [...files, ...fonts.trim().split(" ")] } });
};
if ("serviceWorker" in navigator) keep().catch(() => {}); // private windows keep nothing; the check works all the same
