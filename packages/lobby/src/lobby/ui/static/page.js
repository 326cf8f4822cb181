// The live part of Lobby's page: keeps what is shown fresh while somebody can see it, and sends without a reload.
// Without this module everything still works, by links and forms.

const one = (selector, from = document) => from.querySelector(selector);

// Morphing: an element becomes like another one; nodes that are the same (by data-key) stay, with focus and scroll.

const keyOf = (node) => (node.nodeType === Node.ELEMENT_NODE ? node.dataset.key || node.id : "");

function morph(from, to) {
  for (const { name } of [...from.attributes]) {
    // An open menu stays open; what a person typed is theirs.
    if (!to.hasAttribute(name) && name !== "open") from.removeAttribute(name);
  }
  for (const { name, value } of to.attributes) {
    if (from.getAttribute(name) !== value) from.setAttribute(name, value);
  }
  morphChildren(from, to);
}

function morphChildren(from, to) {
  const keyed = new Map([...from.children].filter(keyOf).map((child) => [keyOf(child), child]));
  let place = from.firstChild;
  for (const wanted of [...to.childNodes]) {
    const key = keyOf(wanted);
    let found = key ? keyed.get(key) : place;
    const fits = found && found.nodeName === wanted.nodeName && (key || !keyOf(found));
    if (!fits) {
      from.insertBefore(wanted, place);
      continue;
    }
    if (found !== place) from.insertBefore(found, place);
    place = found.nextSibling;
    if (found.nodeType === Node.ELEMENT_NODE) morph(found, wanted);
    else if (found.data !== wanted.data) found.data = wanted.data;
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

function parsed(html, tag = "div") {
  const parent = document.createElement(tag);
  const template = document.createElement("template");
  template.innerHTML = html;
  parent.append(template.content);
  return parent;
}

// The conversation.

const messages = () => one(".messages");
// The column is reversed: 0 is the bottom, and scrolling up counts below zero.
const atBottom = () => !messages() || messages().scrollTop > -48;

function toBottom() {
  if (messages()) messages().scrollTop = 0;
  const pill = one("#newer");
  if (pill) pill.hidden = true;
}

/** Take in the newest rows. Older ones that are shown already stay above them. */
function takeBubbles(rows) {
  const list = one("#bubbles");
  if (!list) return;
  const bottom = atBottom();
  const shown = new Set([...list.children].map(keyOf));
  const sealed = new Set([...list.querySelectorAll(".row.sealed")].map(keyOf));
  const marks = new Map([...list.children].map((row) => [keyOf(row), row.dataset.mark]));
  const first = rows.firstElementChild && keyOf(rows.firstElementChild);
  if (first && shown.has(first)) {
    for (const row of [...list.children]) {
      if (keyOf(row) === first) break;
      rows.insertBefore(row.cloneNode(true), rows.querySelector(`[data-key="${CSS.escape(first)}"]`));
    }
  }
  const anchor = bottom ? null : firstInSight(list);
  const before = anchor && anchor.getBoundingClientRect().top;
  morphChildren(list, rows);
  if (anchor && anchor.isConnected) messages().scrollTop += anchor.getBoundingClientRect().top - before;
  const fresh = shown.size ? [...list.children].filter((row) => !shown.has(keyOf(row)) && row.matches(".row")) : [];
  fresh.slice(-3).forEach((row) => row.classList.add("fresh"));
  const heard = fresh.filter((row) => row.dataset.mine === "false");
  if (bottom || fresh.some((row) => row.dataset.mine === "true")) toBottom();
  else if (heard.length) one("#newer").hidden = false;
  const failed = [...list.children].some((row) => row.dataset.mark === "unsent" && marks.get(keyOf(row)) === "sending");
  settleReturned();
  const opened = [...list.children].filter((row) => sealed.has(keyOf(row)) && !row.matches(".sealed"));
  say(failed ? "Message not sent" : [...opened, ...heard].map((row) => `${row.dataset.sender}: ${one(".text", row).textContent}`).join(". "));
}

/** Take in what stands above the first shown row, and that row (it may no longer begin a day or a group). The rows
 * below are the event stream's: it may have brought newer ones while this answer was on its way. */
function takeOlder(list, rows) {
  const shown = new Map([...list.children].filter((row) => !row.matches(".day")).map((row) => [keyOf(row), row]));
  const joint = [...rows.children].find((row) => shown.has(keyOf(row)));
  if (!joint) return shown.size ? undefined : morphChildren(list, rows);
  const first = shown.get(keyOf(joint));
  while (first.previousSibling) first.previousSibling.remove();
  while (rows.firstChild !== joint) first.before(rows.firstChild);
  morph(first, joint);
}

function firstInSight(list) {
  const top = messages().getBoundingClientRect().top;
  return [...list.children].find((row) => row.getBoundingClientRect().bottom > top);
}

function say(text) {
  if (text) one("#heard").textContent = text;
}

async function showOlder(link) {
  if (link.dataset.busy) return;
  link.dataset.busy = "yes";
  link.textContent = "Looking for earlier messages…";
  const rowsBefore = one("#bubbles").children.length;
  try {
    const page = await pageAt(link.href);
    const top = one("#top", page);
    if (!top || !link.isConnected) return;
    const anchor = firstInSight(one("#bubbles"));
    const before = anchor && anchor.getBoundingClientRect().top;
    takeOlder(one("#bubbles"), one("#bubbles", page));
    const more = one("#bubbles").children.length > rowsBefore;
    morph(one("#top"), top);
    if (anchor && anchor.isConnected) messages().scrollTop += anchor.getBoundingClientRect().top - before;
    // Nothing came (no connection, say): the link stays for whoever wants to try again.
    if (more) watchTop();
  } catch (error) {
    link.textContent = "Earlier messages (Lobby did not answer, try again)";
  } finally {
    delete link.dataset.busy;
  }
}

let topWatch = null;

/** Earlier messages are looked for when the top comes into sight. */
function watchTop() {
  topWatch?.disconnect();
  const link = one("#top .older");
  if (!link) return;
  topWatch = new IntersectionObserver((seen) => {
    if (!seen.some((entry) => entry.isIntersecting)) return;
    topWatch.disconnect();
    showOlder(link);
  });
  topWatch.observe(link);
}

// The event stream: open while the page is visible, closed as soon as it is not (the desk lets Lobby sleep then).

let stream = null;
let retry = null;
let waits = 0;

const room = () => one("#composer")?.dataset.room;

/** What of the page the stream has to keep fresh beside the list. */
function shown() {
  if (room()) return `?chat=${encodeURIComponent(room())}`;
  const verification = one("#verification");
  return verification ? `?verification=${encodeURIComponent(verification.dataset.id)}` : "";
}

/** Take in a part of a pane. Where the button that had the focus is gone, its heading gets it. */
function takePart(selector, html) {
  const part = one(selector);
  if (!part) return;
  const inside = part.contains(document.activeElement);
  morphChildren(part, parsed(html));
  if (inside && !part.contains(document.activeElement)) one("#pane-title")?.focus();
}

/** Take in the rows of the chat list that have changed; the others stay as they are. */
function takeRows(changed) {
  const list = one("#chats .chats");
  const rows = new Map([...list.children].map((row) => [keyOf(row), row]));
  for (const { dataset } of changed.querySelectorAll("[data-gone]")) rows.get(dataset.gone)?.remove();
  for (const { dataset, firstElementChild: wanted } of changed.querySelectorAll("[data-below]")) {
    const row = rows.get(keyOf(wanted)) || wanted;
    const above = rows.get(dataset.below);
    const place = above ? above.nextElementSibling : list.firstElementChild;
    if (row !== wanted) morph(row, wanted);
    if (row !== place) list.insertBefore(row, place);
    rows.set(keyOf(row), row);
  }
  one("#chats [data-unread]").dataset.unread = one("[data-unread]", changed).dataset.unread;
  countUnread();
}

const takers = {
  strip: (html) => morphChildren(one("#strip"), parsed(html)),
  account: (html) => morphChildren(one("#account"), parsed(html)),
  chats: (html) => {
    morphChildren(one("#chats"), parsed(html));
    countUnread();
  },
  rows: (html) => takeRows(parsed(html)),
  welcome: (html) => one("#welcome") && morphChildren(one("#welcome"), parsed(html)),
  encryption: (html) => takePart("#encryption", html),
  verification: (html) => takePart("#verification", html),
  head: (html) => one("#head") && morphChildren(one("#head"), parsed(html)),
  bubbles: (html) => takeBubbles(parsed(html, "ol")),
  gone: (place) => location.replace(place),
  quit: () => {
    // Calling again by itself would open what was just quit; that is for the person to say.
    closeStream();
    sayLost("Lobby was quit. Messages do not reach you.", true);
  },
};

/** Where this page's stream comes from; a page without chats is only seen, by an address of its own. */
const source = () => document.body.dataset.seen || (one("#chats") && `${document.body.dataset.base}/events${shown()}`);

function openStream() {
  if (stream || document.visibilityState === "hidden" || !source()) return;
  clearTimeout(retry);
  const opened = new EventSource(source());
  stream = opened;
  opened.onopen = () => {
    waits = 0;
    sayLost("");
  };
  opened.onerror = () => {
    if (stream !== opened) return;
    closeStream();
    streamLost();
  };
  for (const [name, take] of Object.entries(takers)) {
    opened.addEventListener(name, (event) => stream === opened && take(event.data));
  }
}

function closeStream() {
  clearTimeout(retry);
  stream?.close();
  stream = null;
}

function sayLost(words, quit = false) {
  if (!one("#lost")) return;
  one("#lost span").textContent = words;
  one("#lost button").hidden = !quit;
  one("#lost").hidden = !words;
}

/** Try again, soon and then less often; say so when it lasts. A closed session shows its own page. */
async function streamLost() {
  waits += 1;
  if (waits > 2) sayLost("Lobby does not answer. Trying again…");
  if (waits === 2) {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
    const gone = answer?.status === 404 && document.body.dataset.pane !== "not_here";
    if (gone || answer?.status === 401) return location.reload();
  }
  retry = setTimeout(openStream, Math.min(250 * 2 ** waits, 5000));
}

function countUnread() {
  const unread = Number(one("#chats [data-unread]")?.dataset.unread || 0);
  const title = document.title.replace(/^\(\d+\) /, "");
  document.title = unread ? `(${unread}) ${title}` : title;
}

// Going from chat to chat without loading the whole page anew.

async function pageAt(address) {
  const answer = await fetch(address, { headers: { Accept: "text/html" } });
  if (!answer.ok) throw new Error(`${answer.status}`);
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

async function visit(address, remember = true) {
  if (!mayLeave()) return;
  const page = await pageAt(address).catch(() => null);
  if (!page || !one("#main", page) || !one("#chats", page)) return location.assign(address);
  show(page, remember ? address : null);
}

/** Put another page's pane in place of this one's; `address`: where the browser is then, null: where it is. */
function show(page, address) {
  keepDraft();
  closeStream();
  if (address && address !== location.href) history.pushState(null, "", address);
  one("#main").replaceWith(one("#main", page));
  morphChildren(one("#strip"), one("#strip", page));
  morphChildren(one("#chats"), one("#chats", page));
  Object.assign(document.body.dataset, page.body.dataset);
  document.title = page.title;
  one("#account-menu").open = false;
  arrive();
  openStream();
}

function arrive() {
  const text = one("#text");
  if (text) {
    text.value ||= sessionStorage.getItem(draftKey()) || "";
    grow(text);
    settleReturned();
    // On a touch screen the keyboard would jump up unasked.
    if (matchMedia("(hover: hover)").matches) text.focus();
    else one("#chat-title").focus();
    showMeant();
    watchTop();
  } else {
    (one("#main [autofocus]") || one("#pane-title") || one(".chat[aria-current]") || one("#main")).focus();
  }
  if (one("#key-tools")) one("#key-tools").hidden = false;
}

/** Whoever has found a message comes to it, not to the newest. */
function showMeant() {
  const key = new URLSearchParams(location.search).get("at");
  const row = key && one(`#bubbles > [data-key="${CSS.escape(key)}"]`);
  if (!row) return;
  row.scrollIntoView({ block: "center" });
  row.classList.add("meant");
}

// The composer.

const draftKey = () => `draft ${document.body.dataset.base}${room()}`;

/** What was typed in an account that has been logged out since goes with it: its number may be somebody else's next. */
function forgetStrangers() {
  if (!one("#account-menu")) return;
  const others = [...document.querySelectorAll("#account-menu [data-key^=account-]")];
  const here = [document.body.dataset.base, ...others.map((link) => link.pathname.slice(0, -1))];
  for (const key of Object.keys(sessionStorage)) {
    const kept = key.match(/^(?:returned )?draft ([^!]*)!/);
    if (kept && !here.includes(kept[1])) sessionStorage.removeItem(key);
  }
}

function keepDraft() {
  const text = one("#text");
  if (!text) return;
  if (text.value.trim()) sessionStorage.setItem(draftKey(), text.value);
  else sessionStorage.removeItem(draftKey());
}

function grow(text) {
  if (CSS.supports("field-sizing", "content")) return;
  text.style.height = "auto";
  text.style.height = `${text.scrollHeight}px`;
}

function refuse(reason) {
  const place = one("#refused");
  if (!place) return;
  place.textContent = reason;
  place.hidden = !reason;
}

/** Post a form of the conversation and take in the answer. Returns why it was not done, or nothing. */
async function act(form, fields) {
  const body = new URLSearchParams(fields);
  const from = room();
  // keepalive: a message on its way arrives although the window is closed at once (browsers allow 64 KiB).
  const keepalive = body.toString().length < 60000;
  try {
    const answer = await fetch(form.action, { method: "POST", body, keepalive, headers: { "Lobby-Fragment": "bubbles" } });
    const words = await answer.text();
    if (answer.ok) {
      // An open stream brings the same, and in order with everything else.
      if (!stream && room() === from) takeBubbles(parsed(words, "ol"));
      openStream();
      return "";
    }
    return answer.status === 409 ? words : "Lobby did not take that. Load the page again.";
  } catch (error) {
    return "Lobby does not answer, so this was not sent. It is still here; try again.";
  }
}

const drawnKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

// What came back because it was refused or no answer came: [words, key] each, the oldest first, at the top of the
// composer. It may have been kept after all: sent again under its key, Lobby takes it once.
const returned = (draft) => JSON.parse(sessionStorage.getItem(`returned ${draft}`) || "[]");
const wordsOf = (messages) => messages.map(([words]) => words).join("\n");
const lines = (...parts) => parts.filter(Boolean).join("\n");

function keepReturned(draft, messages) {
  if (messages.length) sessionStorage.setItem(`returned ${draft}`, JSON.stringify(messages));
  else sessionStorage.removeItem(`returned ${draft}`);
}

/** What stands below the words that came back; null: those were changed since. */
function below(messages, written) {
  const top = wordsOf(messages);
  if (written === top) return "";
  return !top || written.startsWith(`${top}\n`) ? written.slice(top && top.length + 1) : null;
}

function write(words) {
  const text = one("#text");
  text.value = words;
  grow(text);
  keepDraft();
}

const isShown = (key) => one(`#bubbles [data-key="${CSS.escape(key)}"]`);

/** What came back and is shown all the same was kept: its words are not waiting any more. */
function settleReturned() {
  if (!room()) return;
  const messages = returned(draftKey());
  const left = messages.filter(([, key]) => !isShown(key));
  if (left.length === messages.length) return;
  const since = below(messages, one("#text").value);
  if (since !== null) write(lines(wordsOf(left), since));
  keepReturned(draftKey(), since === null ? [] : left);
}

let sending = Promise.resolve();

function send(form) {
  const words = one("#text").value;
  const draft = draftKey();
  if (!words.trim()) return;
  const back = returned(draft);
  const messages = wordsOf(back) === words ? back : [[words, drawnKey()]];
  keepReturned(draft, []);
  write("");
  refuse("");
  // One after the other: the order in which they were written is the order in which they are kept.
  for (const message of messages) sending = sending.then(() => post(form, draft, message));
}

async function post(form, draft, [words, key]) {
  const fields = new FormData(form);
  fields.set("text", words);
  fields.set("key", key);
  const refusal = await act(form, fields);
  if (!refusal || (draftKey() === draft && isShown(key))) return;
  const here = draftKey() === draft;
  const since = here ? one("#text").value : sessionStorage.getItem(draft) || "";
  const back = returned(draft);
  const rest = below(back, since);
  keepReturned(draft, rest === null ? [[words, key]] : [...back, [words, key]]);
  const all = rest === null ? lines(words, since) : lines(wordsOf(back), words, rest);
  // Where another chat is open by now, the words wait in this one's composer.
  if (!here) return sessionStorage.setItem(draft, all);
  write(all);
  refuse(refusal);
}

// Encryption: forms whose answer is another pane, a file, or a refusal that is said beside what was typed.

async function go(form) {
  const fields = new FormData(form);
  const body = form.enctype === "multipart/form-data" ? fields : new URLSearchParams(fields);
  const place = one(".refused", form) || one("#refused");
  const button = one("button", form);
  const words = button.textContent;
  if (place) place.hidden = true;
  button.disabled = true;
  if (form.dataset.slow) button.textContent = form.dataset.slow;
  try {
    const answer = await fetch(form.action, { method: "POST", body, headers: { "Lobby-Fragment": "pane" } });
    if (!answer.ok) throw new Error(answer.status === 409 ? await answer.text() : "Lobby did not take that. Load the page again.");
    if (form.dataset.go === "save") saveAs(await answer.blob(), "lobby-keys.txt");
    else showAnswer(await answer.text(), answer.redirected ? answer.url : null, form.dataset.go === "stay");
    if (form.dataset.go === "save") form.reset();
  } catch (error) {
    const lost = error instanceof TypeError;
    if (!place) return say(lost ? "Lobby does not answer. Try again." : error.message);
    place.textContent = lost ? "Lobby does not answer. What you typed is still here; try again." : error.message;
    place.hidden = false;
  } finally {
    button.disabled = false;
    if (form.dataset.slow) button.textContent = words;
  }
}

/** The page that answers an act, in place of this one; `stay`: only the strip above it. */
function showAnswer(html, address, stay) {
  const page = new DOMParser().parseFromString(html, "text/html");
  // Something else than a pane: the log-in, say.
  if (!one("#main", page) || !one("#chats", page)) location.assign(address || location.href);
  else if (stay) morphChildren(one("#strip"), one("#strip", page));
  else show(page, address);
}

/** A file that the browser keeps where the person says. */
function saveAs(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  say("Saved as a file");
}

// A new recovery key is shown once: nobody goes on from it by accident.

const newKey = () => one("#new-recovery-key")?.textContent.trim();
const isKept = () => !newKey() || one("#have-kept").checked;
const mayLeave = () => isKept() || confirm("The recovery key is shown this once only. Go on without having kept it?");

async function copyKey(button) {
  try {
    await navigator.clipboard.writeText(newKey());
  } catch (error) {
    // In a frame the clipboard may be closed to us; the older way asks for a selection.
    getSelection().selectAllChildren(one("#new-recovery-key"));
    if (!document.execCommand("copy")) return say("The browser does not let Lobby copy. Select the key and copy it.");
  }
  one("span", button).textContent = "Copied";
  say("Recovery key copied");
}

function downloadKey(button) {
  const account = one("#key-tools").dataset.account;
  const text = `Recovery key of ${account}\n\n${newKey()}\n\nWhoever has it can read this account's encrypted messages.\n`;
  saveAs(new Blob([text], { type: "text/plain" }), "recovery-key.txt");
  one("span", button).textContent = "Downloaded";
}

addEventListener("beforeunload", (event) => isKept() || event.preventDefault());

// What a person does.

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.id === "composer") {
    event.preventDefault();
    send(form);
  } else if (form.matches("[data-act]")) {
    event.preventDefault();
    const fields = new FormData(form);
    one("button", form).disabled = true;
    refuse(await act(form, fields));
    if (form.isConnected) one("button", form).disabled = false;
    one("#text")?.focus();
  } else if (form.id === "kept") {
    // With the box ticked (the browser sees to that): the key goes.
    event.preventDefault();
    visit(form.action);
  } else if (form.matches("[data-go]")) {
    event.preventDefault();
    go(form);
  } else if (form.dataset.slow) {
    const button = event.submitter || one("button", form);
    // Afterwards: a button that is disabled while its form is being read is not part of it.
    setTimeout(() => {
      button.disabled = true;
      button.textContent = form.dataset.slow;
    });
  }
});

document.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  const menu = one("#account-menu[open]");
  if (menu && !menu.contains(event.target)) menu.open = false;
  if (event.target.closest("#newer")) return toBottom();
  if (event.target.closest("#lost button")) return openStream();
  if (event.target.closest("[data-copy]")) return copyKey(event.target.closest("[data-copy]"));
  if (event.target.closest("[data-download]")) return downloadKey(event.target.closest("[data-download]"));
  if (!link || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  if (link.matches("[data-older]")) {
    event.preventDefault();
    showOlder(link);
  } else if (link.matches("[data-visit]")) {
    event.preventDefault();
    visit(link.href);
  }
});

document.addEventListener("input", (event) => {
  if (event.target.id !== "text") return;
  grow(event.target);
  keepDraft();
});

document.addEventListener("scroll", () => atBottom() && one("#newer") && (one("#newer").hidden = true), true);

document.addEventListener("keydown", (event) => {
  const vertical = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (event.target.id === "text" && event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    event.target.form.requestSubmit();
  } else if (vertical && event.altKey) {
    event.preventDefault();
    step(one(".chat[aria-current]"), vertical)?.click();
  } else if (vertical && event.target.matches(".chat")) {
    event.preventDefault();
    step(event.target, vertical)?.focus();
  } else if (event.key === "Escape") {
    escape();
  }
});

/** The next line of the same list, which is that of the chats unless one of the found messages has the focus. */
function step(from, by) {
  const chats = [...(from?.closest(".chats") || one("#chats")).querySelectorAll(".chat")];
  return chats[from ? chats.indexOf(from) + by : by > 0 ? 0 : chats.length - 1];
}

/** Escape goes one step out: from the menu, from the composer to the list, from a pane to all chats. */
function escape() {
  const menu = one("#account-menu[open]");
  if (menu) {
    menu.open = false;
    one("summary", menu).focus();
  } else if (one(".chat[aria-current]")?.checkVisibility()) {
    one(".chat[aria-current]").focus();
  } else if (one(".back")?.checkVisibility()) {
    one(".back").click();
  }
}

addEventListener("popstate", () => visit(location.href, false));
addEventListener("pagehide", closeStream);
addEventListener("pageshow", (event) => event.persisted && openStream());
document.addEventListener("freeze", closeStream);
document.addEventListener("resume", openStream);
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "hidden") closeStream();
  else openStream();
});

forgetStrangers();
if (room() || one("#pane-title")) arrive();
openStream();
