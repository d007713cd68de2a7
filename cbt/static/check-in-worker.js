// Keeps the check-in lists of today and tomorrow, and the files that they need, for where there is no network.
"use strict";

const LISTS = "check-in lists";
const FILES = "check-in files";
const PATIENCE = 5000; // a weak signal is worse than none: then the kept list is shown

const isOver = (list) => Date.parse(list.headers.get("List-Until")) <= Date.now();
const dropOver = async () => {
  const lists = await caches.open(LISTS);
  for (const request of await lists.keys()) if (isOver(await lists.match(request))) await lists.delete(request);
};
// Lists are kept under the address that names their day, also when today's was asked for without.
const keepList = async (address, answer) => {
  const day = answer.headers.get("List-Day");
  if (!answer.ok || !day || isOver(answer)) return false;
  await (await caches.open(LISTS)).put(`${new URL(address).pathname}?on=${day}`, answer);
  return true;
};
const findList = async (address) => {
  const { pathname, searchParams } = new URL(address);
  const lists = await caches.open(LISTS);
  if (searchParams.has("on")) return lists.match(`${pathname}?on=${searchParams.get("on")}`);
  const days = (await lists.keys()).filter((each) => new URL(each.url).pathname === pathname);
  const [first] = days.sort((one, other) => (one.url < other.url ? -1 : 1));
  return first && lists.match(first);
};

const openList = async (request) => {
  await dropOver();
  const known = await findList(request.url);
  let answer;
  try {
    answer = await fetch(request, known ? { signal: AbortSignal.timeout?.(PATIENCE) } : {});
  } catch (error) {
    if (known) return known;
    throw error;
  }
  if (answer.status >= 500 && known) return known;
  if (answer.type === "opaqueredirect" || answer.status === 403) await caches.delete(LISTS); // signed out
  else await keepList(request.url, answer.clone());
  return answer;
};
const openFile = async (request) => (await (await caches.open(FILES)).match(request)) ?? fetch(request);

const keepAll = async ({ lists, files }) => {
  await dropOver();
  const wanted = files.map((file) => new URL(file, self.location).href);
  const known = await caches.open(FILES);
  const have = (await known.keys()).map((each) => each.url);
  await known.addAll(wanted.filter((file) => !have.includes(file)));
  const addresses = lists.map((list) => new URL(list, self.location).href);
  const done = await Promise.all(addresses.map(async (address) => keepList(address, await fetch(address, { redirect: "manual" }))));
  for (const file of have) if (!wanted.includes(file)) await known.delete(file);
  return done.every(Boolean);
};

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(Promise.all([self.clients.claim(), dropOver()])));
self.addEventListener("fetch", (event) => {
  const { request } = event;
  const address = new URL(request.url);
  if (request.method !== "GET" || address.origin !== self.location.origin) return;
  if (request.mode === "navigate") event.respondWith(openList(request));
  else if (/^\/(static|fonts)\//.test(address.pathname)) event.respondWith(openFile(request));
});
self.addEventListener("message", (event) => {
  const answer = keepAll(event.data.keep).catch(async () => Boolean(await findList(event.data.keep.lists[0]))).then((kept) => event.ports[0].postMessage({ kept }));
  event.waitUntil(answer);
});
