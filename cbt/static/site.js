// Enhancement only: every page does its work without this file.
"use strict";

// A countdown beside the hour until which places are held; the page reloads when it ends.
for (const box of document.querySelectorAll("[data-until]")) {
  const until = Date.parse(box.dataset.until);
  const left = box.querySelector("[data-left]");
  const warning = box.parentElement.querySelector("[data-soon]");
  const tick = () => {
    const seconds = Math.max(0, Math.round((until - Date.now()) / 1000));
    const hours = Math.floor(seconds / 3600);
    const clock = [Math.floor((seconds % 3600) / 60), seconds % 60].map((n) => String(n).padStart(2, "0")).join(":");
    const isFar = hours >= 24; // kept for days: the day and hour beside it say enough
    left.textContent = isFar ? "" : seconds ? (hours ? `${hours}:${clock}` : clock) : box.dataset.over;
    box.classList.toggle("soon", seconds < 300);
    if (warning) warning.hidden = seconds >= 300 || !seconds;
    if (seconds) setTimeout(tick, 1000);
    else setTimeout(() => location.reload(), 1500);
  };
  tick();
}

// Buttons for fewer and more beside a count.
const addStepperButtons = (scope) => {
  for (const input of scope.querySelectorAll(".stepper input")) {
    const count = document.createElement("div");
    count.className = "count";
    const button = (sign, name, step) => {
      const made = document.createElement("button");
      made.type = "button";
      made.className = "round";
      made.textContent = sign;
      made.setAttribute("aria-label", `${name}: ${input.labels[0].firstChild.textContent.trim()}`);
      made.addEventListener("click", () => {
        input.value = Math.max(Number(input.min), (Number(input.value) || 0) + step);
        input.dispatchEvent(new Event("change", { bubbles: true }));
      });
      return made;
    };
    const less = button("−", input.dataset.less, -1);
    const more = button("+", input.dataset.more, 1);
    input.parentElement.classList.add("with-buttons");
    input.replaceWith(count);
    count.append(less, input, more);
  }
};

// Buttons that would send the form for one step up or down do it in place.
for (const button of document.querySelectorAll(".counter button")) {
  button.addEventListener("click", (event) => {
    event.preventDefault();
    const input = button.parentElement.querySelector("input");
    input.value = Math.max(0, (Number(input.value) || 0) + Number(button.dataset.step));
  });
}

// The booking box is fetched anew for another day or party, without leaving the page.
let newest = 0;
let leaving = false;
document.addEventListener("submit", () => {
  newest += 1; // what was sent goes first: a box that still comes is too late
  leaving = true;
});
window.addEventListener("pageshow", () => (leaving = false));
const swap = async (address) => {
  const mine = ++newest;
  const box = document.getElementById("book");
  const focused = document.activeElement;
  const again = focused?.id ? `#${focused.id}` : focused?.getAttribute?.("aria-label") ? `[aria-label="${CSS.escape(focused.getAttribute("aria-label"))}"]` : "";
  box.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(address, { headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("book");
    if (mine !== newest || !fresh) return;
    box.replaceWith(fresh);
    history.replaceState(null, "", address);
    prepare(fresh);
    if (again) document.querySelector(again)?.focus({ preventScroll: true });
  } catch {
    if (!leaving) location.href = address;
  } finally {
    box.removeAttribute("aria-busy");
  }
};
const prepare = (scope) => {
  addStepperButtons(scope);
  for (const link of scope.querySelectorAll("[data-swap]")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      swap(link.href);
    });
  }
  scope.querySelector("[data-quote]")?.addEventListener("change", (event) => {
    const form = event.currentTarget;
    const fields = new URLSearchParams();
    for (const [name, value] of new FormData(form)) {
      if (!["csrf_token", "once", "do"].includes(name)) fields.set(name, value);
    }
    swap(`${form.action.split("#")[0]}?${fields}#book`);
  });
};
prepare(document);

// Check-in lists that this device kept leave it when their day is over, and on signing out.
const dropLists = async (isLeaving) => {
  if (!(await caches.has("check-in lists"))) return;
  const lists = await caches.open("check-in lists");
  for (const request of await lists.keys()) {
    const until = (await lists.match(request)).headers.get("List-Until");
    if (isLeaving || Date.parse(until) <= Date.now()) await lists.delete(request);
  }
};
if (window.caches) {
  dropLists(false);
  for (const form of document.querySelectorAll("form[action$='/sign-out']")) {
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      await dropLists(true).catch(() => {});
      form.submit();
    });
  }
}

// A try to pay is watched: the page shows what came of it without being asked.
for (const box of document.querySelectorAll("[data-watch]")) {
  let looks = 0;
  setInterval(async () => {
    if (document.hidden || looks > 225) return; // a quarter of an hour; the page can still be reloaded
    looks += 1;
    try {
      const answer = await fetch(`${box.dataset.watch}${looks % 4 ? "" : "?ask=1"}`);
      if (answer.ok && (await answer.json()).state !== box.dataset.state) location.reload();
    } catch {
      // no network for a moment: the next look tells
    }
  }, 4000);
}
