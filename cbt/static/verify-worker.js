// Keeps the page that checks statements, with the keys in it, for where there is no network.
"use strict";

const KEPT = "statement check";
const PATIENCE = 5000;

const open = async (request) => {
  const kept = await caches.open(KEPT);
  const known = await kept.match(request, { ignoreSearch: request.mode === "navigate" });
  try {
    const answer = await fetch(request, known ? { signal: AbortSignal.timeout?.(PATIENCE) } : {});
    if (answer.ok && request.mode === "navigate") await kept.put(new URL(request.url).pathname, answer.clone());
    return answer;
  } catch (error) {
    if (known) return known;
    throw error;
  }
};

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (event) => {
  const { request } = event;
  const address = new URL(request.url);
  if (request.method !== "GET" || address.origin !== self.location.origin) return;
  if (request.mode === "navigate" || /^\/(static|fonts)\//.test(address.pathname)) event.respondWith(open(request));
});
self.addEventListener("message", (event) => {
  const { page, files } = event.data.keep;
  event.waitUntil(caches.open(KEPT).then((kept) => kept.addAll([page, ...files])));
});
