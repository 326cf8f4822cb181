// The time line: places bands and marks by their time, moves on with the clock, and opens stories.

const root = document.getElementById("timeline");
const sheet = root.querySelector(".tl-sheet");
const track = root.querySelector(".tl-track");
const ticks = root.querySelector(".tl-ticks");
const scroller = root.querySelector(".tl-scroll");
const panel = document.getElementById("tl-panel");
const hint = panel.firstElementChild;
const SECONDS = Number(root.dataset.seconds);
const MARGIN = 14;
const back = root.querySelector(".tl-now");
const REACH = "button.tl-band, button.tl-mark";

// Positions are counted from this moment, so that only the track has to move.
const epoch = Math.floor(Number(root.dataset.now));
let ahead = Number(root.dataset.now) - Date.now() / 1000;
const now = () => Date.now() / 1000 + ahead;

let pixels = 8;
let atEnd = true;
// Who looks back is left in peace: the picture stands still, with this moment at its right edge.
let held = 0;
const edge = () => held || now();

// --- places ---------------------------------------------------------------------------------------------------------

function place(part) {
  for (const each of part.querySelectorAll("[data-at]")) {
    each.style.left = `${(Number(each.dataset.at) - epoch) * pixels}px`;
    if (each.dataset.to) each.style.width = `${(Number(each.dataset.to) - Number(each.dataset.at)) * pixels}px`;
  }
}

function scale() {
  const chosen = root.querySelector(`[data-zoom="${root.dataset.scale}"]`);
  pixels = Math.max(Number(chosen.dataset.pixels), (scroller.clientWidth - MARGIN) / SECONDS);
  sheet.style.width = `${SECONDS * pixels + MARGIN}px`;
  place(track);
  drawTicks();
  move();
  if (atEnd) scroller.scrollLeft = scroller.scrollWidth;
}

let drawnUntil = 0;
function drawTicks() {
  const step = pixels < 4 ? 60 : 10;
  const words = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", ...(step < 60 && { second: "2-digit" }) };
  const first = Math.ceil((edge() - SECONDS) / step) * step;
  drawnUntil = edge() + 60;
  ticks.replaceChildren();
  for (let at = first; at < drawnUntil; at += step) {
    const tick = document.createElement("span");
    tick.className = "tl-tick";
    tick.style.left = `${(at - epoch) * pixels}px`;
    tick.dataset.when = String(at);
    tick.textContent = new Date(at * 1000).toLocaleTimeString([], words);
    ticks.append(tick);
  }
}

// Each second moves one element, and lengthens the bands that last: nothing else is drawn anew.
function move() {
  const present = edge();
  if (present > drawnUntil - 5) drawTicks();
  track.style.transform = `translateX(${SECONDS * pixels - (present - epoch) * pixels}px)`;
  // A moment that would be cut off at the present's edge is written when there is room for it.
  for (const tick of ticks.children) tick.classList.toggle("tl-cut", (present - Number(tick.dataset.when)) * pixels < tick.offsetWidth - MARGIN);
  for (const band of track.querySelectorAll(".tl-band:not([data-to])")) {
    band.style.width = `${Math.max(0, now() - Number(band.dataset.at)) * pixels}px`;
  }
}

let moving = 0;
function run() {
  clearInterval(moving);
  if (document.hidden) return;
  move();
  moving = setInterval(move, matchMedia("(prefers-reduced-motion: reduce)").matches ? 5000 : 500);
}
document.addEventListener("visibilitychange", run);

scroller.addEventListener("scroll", () => {
  follow(scroller.scrollLeft + scroller.clientWidth > scroller.scrollWidth - 4);
});

function follow(yes) {
  if (yes === atEnd) return;
  atEnd = yes;
  held = yes ? 0 : now();
  back.hidden = yes;
  move();
  if (yes) scroller.scrollLeft = scroller.scrollWidth;
}

new ResizeObserver(scale).observe(scroller);

// --- what is new ----------------------------------------------------------------------------------------------------

const sources = new WeakMap();

// Elements with an id stay the same elements: what is pressed, focused or chosen remains so.
function morph(old, fresh) {
  if (sources.get(old) === fresh.outerHTML) return;
  sources.set(old, fresh.outerHTML);
  const open = old.getAttribute("aria-expanded");
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && name !== "style" && name !== "tabindex") old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  if (open) old.setAttribute("aria-expanded", open);
  if ("parts" in fresh.dataset) morphParts(old, fresh);
  else if (old.innerHTML !== fresh.innerHTML) old.replaceChildren(...fresh.childNodes);
}

function morphParts(old, fresh) {
  const wanted = new Set([...fresh.children].map((part) => part.id));
  const known = new Map();
  for (const part of [...old.children]) {
    if (wanted.has(part.id)) known.set(part.id, part);
    else part.remove();
  }
  let place = old.firstElementChild;
  for (const part of [...fresh.children]) {
    const there = known.get(part.id);
    if (there) morph(there, part);
    if (there && there === place) place = place.nextElementSibling;
    else old.insertBefore(there ?? part, place);
  }
}

export function update(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  for (const fresh of [...template.content.children]) {
    const old = document.getElementById(fresh.id);
    if (!old) continue;
    if (fresh.dataset.now) {
      const said = Number(fresh.dataset.now) - Date.now() / 1000;
      if (Math.abs(said - ahead) > 0.5) ahead = said;
      fresh.removeAttribute("data-now");
    }
    morph(old, fresh);
    // What stands around it is another than it was told to be.
    for (let around = old.parentElement; around; around = around.parentElement) sources.delete(around);
    if (track.contains(old)) place(old);
  }
  rove();
  tell();
  move();
}

// --- stories --------------------------------------------------------------------------------------------------------

let chosen = "";

function tell() {
  if (!chosen) {
    if (panel.firstElementChild !== hint) panel.replaceChildren(hint);
    return;
  }
  const stories = chosen.split(" ").map((id) => document.getElementById(id)).filter(Boolean);
  if (!stories.length) return; // older than the time line by now: what was read stays to be read
  const copies = stories.map((story) => {
    const copy = story.cloneNode(true);
    copy.removeAttribute("id");
    return copy;
  });
  const same = copies.map((copy) => copy.outerHTML).join("") === panel.innerHTML;
  if (!same) panel.replaceChildren(...copies);
}

function choose(button) {
  const again = button?.getAttribute("aria-expanded") === "true";
  for (const open of root.querySelectorAll('[aria-expanded="true"]')) open.setAttribute("aria-expanded", "false");
  chosen = button && !again ? button.dataset.stories : "";
  if (chosen) button.setAttribute("aria-expanded", "true");
  tell();
  if (chosen) panel.scrollIntoView({ block: "nearest" });
}

root.addEventListener("click", (event) => {
  const to = event.target.closest("[data-zoom]");
  if (to) {
    root.dataset.scale = to.dataset.zoom;
    for (const each of root.querySelectorAll("[data-zoom]")) each.setAttribute("aria-pressed", String(each === to));
    follow(true);
    scale();
    rove();
    return;
  }
  if (event.target === back) {
    follow(true);
    root.querySelector("[data-zoom][aria-pressed=true]").focus({ preventScroll: true });
    return;
  }
  const button = event.target.closest(REACH);
  if (button) choose(button);
});

// --- keys: a lane is one stop of the Tab key, the arrows go along it and to the next -------------------------------------------

function along(lane) {
  const seen = [...lane.querySelectorAll(REACH)].filter((one) => one.offsetParent !== null);
  return seen.sort((one, other) => Number(one.dataset.at) - Number(other.dataset.at));
}

function rove() {
  for (const lane of track.querySelectorAll(".tl-lane")) {
    const stops = along(lane);
    const current = stops.find((one) => one === document.activeElement) ?? stops.at(-1);
    for (const one of lane.querySelectorAll(REACH)) one.tabIndex = one === current ? 0 : -1;
  }
}

function nearest(stops, at) {
  const away = (one) => Math.abs(Number(one.dataset.at) - at);
  return stops.reduce((best, one) => (away(one) < away(best) ? one : best));
}

root.addEventListener("keydown", (event) => {
  if (event.key === "Escape") return choose(null);
  const lane = event.target.closest(".tl-lane");
  if (!lane) return;
  const stops = along(lane);
  const at = stops.indexOf(event.target);
  const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (step) {
    const lanes = [...track.querySelectorAll(".tl-lane")].filter((one) => along(one).length);
    const other = lanes[lanes.indexOf(lane) + step];
    event.preventDefault();
    if (other) nearest(along(other), Number(event.target.dataset.at)).focus();
    return;
  }
  const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: stops.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  stops[Math.min(Math.max(to, 0), stops.length - 1)]?.focus();
});
track.addEventListener("focusin", rove);

scale();
rove();
run();
