// The desk's status page: shows what the dashboard sends while somebody looks, and counts the seconds in between.

import { update } from "./timeline.js";

const lost = document.getElementById("lost");
const ENDED = "frontdesk dashboard does not run any more. Run it again: it opens a new page.";

function patch(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  for (const fresh of [...template.content.children]) {
    const old = document.getElementById(fresh.id);
    if (old && old.innerHTML !== fresh.innerHTML) old.replaceChildren(...fresh.childNodes);
  }
  begin();
}

// --- seconds --------------------------------------------------------------------------------------------------------

function length(seconds) {
  if (seconds < 99.5) return `${Math.floor(seconds)} s`;
  if (seconds < 600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  return seconds < 172800 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86400)} d`;
}

function begin() {
  for (const left of document.querySelectorAll("[data-left]")) {
    left.dataset.until = String(Date.now() / 1000 + Number(left.dataset.left));
    left.removeAttribute("data-left");
  }
  count();
}

function count() {
  const now = Date.now() / 1000;
  for (const each of document.querySelectorAll("[data-since]")) each.textContent = length(Math.max(0, now - Number(each.dataset.since)));
  for (const each of document.querySelectorAll("main [data-until]")) {
    each.textContent = length(Math.max(0, Number(each.dataset.until) - now));
  }
  const today = new Date().toDateString();
  for (const each of document.querySelectorAll("[data-moment]")) {
    const at = new Date(1000 * Number(each.dataset.moment));
    if (at.toDateString() !== today) each.textContent = at.toLocaleDateString([], { day: "numeric", month: "short" });
  }
}

// --- the stream: open while somebody looks --------------------------------------------------------------------------

let stream = null;
let counting = 0;

function open() {
  stream = new EventSource("/events");
  stream.addEventListener("status", (event) => patch(JSON.parse(event.data)));
  stream.addEventListener("timeline", (event) => update(JSON.parse(event.data)));
  stream.addEventListener("open", () => say(""));
  stream.addEventListener("error", () => say(ENDED));
}

function say(words) {
  lost.textContent = words;
  lost.hidden = !words;
  document.body.classList.toggle("lost", Boolean(words));
}

function follow() {
  stream?.close();
  stream = null;
  clearInterval(counting);
  if (document.hidden) return;
  open();
  begin();
  counting = setInterval(count, 1000);
}
document.addEventListener("visibilitychange", follow);
follow();
