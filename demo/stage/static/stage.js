// The stage's page: shows what the stage sends, opens and closes the two windows, and passes switches on.

import { update } from "/timeline/timeline.js";

const csrf = document.querySelector('meta[name="csrf"]').content;
const lost = document.getElementById("lost");
const complaint = document.getElementById("complaint");
const shownParts = new Map();
const STARTED_AGAIN = "The demo was started again: open the address it printed.";
const UNANSWERED =
  "The demo does not answer. Is it still running in its terminal? When it answers again, this page goes on by itself.";

// A click is press and release on the same button: the part that holds the pressed one is replaced after the release.
let pressed = null;
const heldBack = new Map();
const press = (event) => {
  // Another button of the mouse clicks nothing; its menu may keep the release to itself.
  if (event.type === "pointerdown" ? event.button === 0 : event.key === " ") {
    pressed = event.target.closest?.("button") ?? null;
  }
};
const release = () => {
  pressed = null;
  // The click comes right after the release, as an event of its own.
  if (heldBack.size) setTimeout(() => patch([...heldBack.values()].join("")));
};
for (const type of ["pointerdown", "keydown"]) document.addEventListener(type, press, true);
for (const type of ["pointerup", "pointercancel", "keyup"]) document.addEventListener(type, release, true);
addEventListener("blur", release);

// A part is replaced only when it differs, and the focus stays where it was: nobody is interrupted by a clock.
function patch(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  for (const fresh of [...template.content.children]) {
    const old = document.getElementById(fresh.id);
    heldBack.delete(fresh.id);
    if (!old || shownParts.get(fresh.id) === fresh.outerHTML) continue;
    if (pressed && old.contains(pressed)) {
      heldBack.set(fresh.id, fresh.outerHTML);
      continue;
    }
    shownParts.set(fresh.id, fresh.outerHTML);
    const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
    const scrolled = old.querySelector(".events")?.scrollTop ?? 0;
    const known = new Set([...old.querySelectorAll(".card")].map((card) => card.dataset.id + card.textContent));
    // The element itself stays: what is said to screen readers is a change inside a region they know.
    for (const { name, value } of fresh.attributes) old.setAttribute(name, value);
    old.replaceChildren(...fresh.childNodes);
    for (const card of old.querySelectorAll(".card")) {
      if (!known.has(card.dataset.id + card.textContent)) arrive(card.parentElement);
    }
    if (focused) document.getElementById(focused)?.focus();
    tellWakes(old);
    const events = old.querySelector(".events");
    if (events) events.scrollTop = scrolled;
    for (const count of old.querySelectorAll("[data-seconds]")) {
      count.dataset.until = String(performance.now() + 1000 * Number(count.dataset.seconds));
    }
  }
}

// A notification that was not there before slides in.
function arrive(element) {
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  element.animate([{ opacity: 0, transform: "translateX(26px)" }, {}], { duration: 260, easing: "ease-out" });
}

// `asked` counts how often Lobby wanted to be shown: each time, its window goes where Lobby wants it.
function setWindow(user, want, asked) {
  const machine = document.getElementById(user);
  const pane = machine.querySelector(".pane");
  let frame = pane.querySelector("iframe");
  machine.dataset.window = want;
  if (want === "closed") {
    frame?.remove();
    return;
  }
  if (frame?.dataset.asked === asked) return;
  if (!frame) {
    frame = document.createElement("iframe");
    frame.title = pane.dataset.title;
    frame.addEventListener("load", () => frame.classList.add("there"));
  }
  frame.dataset.asked = asked;
  // The stage answers with a one-time address of Lobby's own page.
  frame.src = `/machine/${user}/window?${asked}`;
  if (!frame.isConnected) pane.append(frame);
}

async function act(user, button) {
  const { act: what, value = "", id = "", app = "" } = button.dataset;
  complaint.hidden = true;
  if (what === "window" && value === "closed") setWindow(user, value, "");
  button.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(`/machine/${user}/${what}`, {
      method: "POST",
      headers: { "X-Stage-Token": csrf },
      body: new URLSearchParams({ value, id, app }),
    });
    if (answer.status === 401) lose(STARTED_AGAIN);
    else if (!answer.ok) complain(await answer.text());
  } catch {
    complain("The demo does not answer. Nothing was switched; is it still running in its terminal?");
  } finally {
    button.removeAttribute("aria-busy");
  }
}

function complain(words) {
  complaint.textContent = words;
  complaint.hidden = false;
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.show) return showTab(button.dataset.show);
  const machine = button.closest(".machine");
  if (machine && button.dataset.act) act(machine.id, button);
});

function showTab(user) {
  document.body.dataset.tab = user;
  for (const tab of document.querySelectorAll("[data-show]")) {
    tab.setAttribute("aria-pressed", String(tab.dataset.show === user));
  }
}

// Seconds left are the desk's figure; between its words they are counted down here.
setInterval(() => {
  for (const count of document.querySelectorAll("[data-until]")) {
    const left = Math.ceil((Number(count.dataset.until) - performance.now()) / 1000);
    count.textContent = String(Math.max(0, left));
  }
  tellWakes(document);
}, 200);

// A short sleep is easily missed: for a few seconds the pill says that it was interrupted.
function tellWakes(part) {
  for (const woken of part.querySelectorAll("[data-woken]")) {
    const ago = Date.now() / 1000 - Number(woken.dataset.woken);
    woken.hidden = ago > 4;
    if (!woken.hidden) woken.querySelector("b").textContent = String(Math.max(0, Math.floor(ago)));
  }
}

// What is not followed any more is not shown as if it were.
function setLost(isLost) {
  document.body.classList.toggle("lost", isLost);
  document.querySelector("main").inert = isLost;
}

let waiting = 0;
function lose(words) {
  lost.textContent = words;
  lost.hidden = false;
  setLost(true);
  if (words === STARTED_AGAIN && !waiting) waiting = setInterval(reloadWhenLetIn, 2000);
}

// Once the visitor has come in again in another tab, this one may, too.
async function reloadWhenLetIn() {
  if (document.hidden) return;
  const answer = await fetch("/", { method: "HEAD" }).catch(() => null);
  if (answer?.ok) location.reload();
}

const stream = new EventSource("/events");
stream.addEventListener("open", () => {
  lost.hidden = true;
  setLost(false);
});
stream.addEventListener("error", () => {
  // The browser tries again after a broken connection, and gives up after a refusal.
  lose(stream.readyState === EventSource.CLOSED ? STARTED_AGAIN : UNANSWERED);
});
stream.addEventListener("began", (event) => {
  if (JSON.parse(event.data).csrf !== csrf) location.reload();
});
stream.addEventListener("machine", (event) => {
  const { user, window: want, asked, html } = JSON.parse(event.data);
  patch(html);
  setWindow(user, want, asked);
});
stream.addEventListener("acts", (event) => patch(JSON.parse(event.data).html));
stream.addEventListener("lanes", (event) => update(JSON.parse(event.data).html));
