/* Enhancements. Every page works without this script. */
"use strict";

/* Show times in the reader's zone; the server renders UTC. */
function localiseTimes(root) {
  const format = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "medium" });
  for (const time of root.querySelectorAll("time[datetime]")) {
    const text = format.format(new Date(time.dateTime));
    if (time.dataset.local) time.textContent = text;
    else time.title = text;
  }
}

/* Enable the button of a typed confirmation once the name matches. The server checks the name as well. */
function guardConfirmation(root) {
  for (const form of root.querySelectorAll("form[data-confirms]")) {
    const name = form.elements.namedItem("name");
    const button = form.querySelector("button");
    const plain = (text) => text.normalize("NFKC").replace(/\p{Cf}/gu, "").replace(/\s+/g, " ").trim().toLowerCase();
    const id = form.action.match(/\/guilds\/(\d+)\//)?.[1];
    const check = () => { button.disabled = plain(name.value) !== plain(form.dataset.confirms) && name.value.trim() !== id; };
    name.addEventListener("input", check);
    check();
  }
}

/* A fragment that replaces the content of a page brings the page's title. */
function updateTitle(root) {
  const title = root.querySelector("[data-title]")?.dataset.title;
  if (title) document.title = title;
}

/* The days of a filter are those of the reader's zone. */
function fillZone(root) {
  for (const input of root.querySelectorAll("[data-zone]")) input.value = Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/* The rows of a list that are selected: show their number, enable their buttons, and select all of them. */
function showSelection(form) {
  const boxes = [...form.querySelectorAll("[name=id]:not(:disabled)")];
  const count = boxes.filter((box) => box.checked).length;
  const all = form.querySelector("[data-select-all]");
  all.hidden = boxes.length === 0;
  all.checked = count > 0 && count === boxes.length;
  all.indeterminate = count > 0 && count < boxes.length;
  const label = form.querySelector("[data-selected]");
  label.dataset.hint ??= label.textContent;
  label.textContent = count ? label.dataset.selected.replace("{n}", count) : label.dataset.hint;
  for (const button of form.querySelectorAll("button[name=act]")) button.disabled = count === 0;
}
document.addEventListener("change", (event) => {
  const form = event.target.closest("[data-selection]");
  if (!form) return;
  if (event.target.matches("[data-select-all]"))
    for (const box of form.querySelectorAll("[name=id]:not(:disabled)")) box.checked = event.target.checked;
  showSelection(form);
});

/* On a phone the menu and the tabs scroll: show the current one. */
function showCurrentPlace() {
  for (const link of document.querySelectorAll(".rail nav a[aria-current], .tabs-bar a[aria-current]:not([aria-current=false])")) {
    const bar = link.closest("nav");
    bar.scrollLeft = link.offsetLeft - bar.offsetLeft - (bar.clientWidth - link.offsetWidth) / 2;
  }
}

/* Copy a value, and say so for a moment. */
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.copy);
  const label = button.querySelector("span");
  const before = label.textContent;
  label.textContent = button.dataset.done;
  button.dataset.copied = "";
  setTimeout(() => { label.textContent = before; delete button.dataset.copied; }, 1500);
});

/* Name the open place of a page with several: CSS shows it by the address. */
function markPlace() {
  for (const places of document.querySelectorAll(".places")) {
    const links = [...places.querySelectorAll("[data-place]")];
    const open = links.find((link) => link.hash === location.hash)?.dataset.place ?? places.dataset.open;
    for (const link of links) link.setAttribute("aria-current", String(link.dataset.place === open));
  }
  showCurrentPlace();
}
window.addEventListener("hashchange", markPlace);

function enhance(root) {
  releaseLanguageButtons();
  markPlace();
  if (navigator.clipboard) for (const button of root.querySelectorAll("[data-copy]")) button.hidden = false;
  fillZone(root);
  root.querySelectorAll("[data-selection]").forEach(showSelection);
  localiseTimes(root);
  guardConfirmation(root);
  updateTitle(root);
}

/* Switch the theme in place, so that the page keeps its position and its input. */
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("[data-theme-switch]") || !event.submitter) return;
  event.preventDefault();
  const theme = event.submitter.value;
  document.documentElement.dataset.theme = theme;
  for (const button of form.querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.value === theme));
  fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form, event.submitter)), redirect: "manual" });
});

/* Keep the typed values while the language changes, because that loads the page again. Passwords are not stored. */
const DRAFT = "draft";
const keyOf = (input) => [input.form?.getAttribute("action"), input.name, /^(radio|checkbox)$/.test(input.type) ? input.value : ""].join(" ");
const typedInputs = () => [...document.querySelectorAll("main :is(input, textarea, select)")].filter((input) => input.name && !/^(hidden|password)$/.test(input.type));
document.addEventListener("submit", (event) => {
  if (!event.target.matches("[data-keeps-input]")) return;
  const values = typedInputs().map((input) => [keyOf(input), input.checked ?? false, input.value]);
  sessionStorage.setItem(DRAFT, JSON.stringify({ path: location.pathname, hash: location.hash, values }));
});
/* Without this script, the buttons of the language belong to the page's form, and the server fills it in again. */
function releaseLanguageButtons() {
  for (const button of document.querySelectorAll("[data-keeps-input] button"))
    for (const name of ["form", "formaction", "formmethod", "formnovalidate"]) button.removeAttribute(name);
}
function restoreDraft() {
  const draft = JSON.parse(sessionStorage.getItem(DRAFT));
  sessionStorage.removeItem(DRAFT);
  if (draft?.path !== location.pathname) return;
  if (draft.hash) location.replace(draft.hash);
  const values = new Map(draft.values.map(([key, ...value]) => [key, value]));
  for (const input of typedInputs()) {
    const [checked, value] = values.get(keyOf(input)) ?? [];
    if (value === undefined) continue;
    if (/^(radio|checkbox)$/.test(input.type)) input.checked = checked;
    else input.value = value;
  }
}

/* A line at the top while the server is working on a click. */
let openRequests = 0;
function showProgress(count) {
  openRequests = Math.max(0, openRequests + count);
  document.documentElement.toggleAttribute("data-busy", openRequests > 0);
}
document.addEventListener("htmx:before:request", (event) => { if (!event.target.matches?.("[data-poll]")) showProgress(1); });
document.addEventListener("htmx:finally:request", (event) => { if (!event.target.matches?.("[data-poll]")) showProgress(-1); });
window.addEventListener("beforeunload", () => showProgress(1));

/* Ignore the answer of a poll while a click is answered: its redirect would replace the one of the click. */
let isLeaving = false;
document.addEventListener("htmx:before:response", (event) => {
  if (!event.target.matches?.("[data-poll]")) isLeaving ||= event.detail.ctx.response.headers.has("HX-Redirect");
  else if (isLeaving || openRequests > 0) event.preventDefault();
});
/* htmx marks the forms that it sends; these are sent by the browser. */
document.addEventListener("submit", (event) => {
  if (!event.defaultPrevented) event.submitter?.setAttribute("aria-busy", "true");
});

/* Poll for changes: less often while nothing changes, and not while the page is hidden. A poll without a change is a 204. */
const FIRST_POLL_MS = 1500, LAST_POLL_MS = 10000;
let pollTimer, pollDelay = FIRST_POLL_MS;

function schedulePoll() {
  clearTimeout(pollTimer);
  if (document.hidden || !document.querySelector("[data-poll]")) return;
  pollTimer = setTimeout(() => {
    for (const element of document.querySelectorAll("[data-poll]")) element.dispatchEvent(new Event("poll"));
    pollDelay = Math.min(pollDelay * 1.5, LAST_POLL_MS);
    schedulePoll();
  }, pollDelay);
}

function restartPolls() {
  pollDelay = FIRST_POLL_MS;
  schedulePoll();
}

document.addEventListener("visibilitychange", restartPolls);
window.addEventListener("online", restartPolls);
document.addEventListener("DOMContentLoaded", () => { restoreDraft(); enhance(document); restartPolls(); });
document.addEventListener("htmx:after:swap", (event) => {
  if (event.detail?.ctx?.response?.status === 204) return; // htmx says so although nothing was swapped
  enhance(document);
  restartPolls();
});

/* A swap that removes the focused element moves the focus to the same element of the new content, or to its place. */
let focused = null;
document.addEventListener("htmx:before:swap", () => {
  const element = document.activeElement;
  focused = element && element !== document.body ? { id: element.id, place: element.parentElement.closest("[id]")?.id } : null;
});
document.addEventListener("htmx:after:swap", () => {
  if (!focused || (document.activeElement && document.activeElement !== document.body)) return;
  const place = document.getElementById(focused.place) ?? document.getElementById("main");
  const next = (focused.id && document.getElementById(focused.id)) || place?.querySelector("a[aria-current], [autofocus], h1, h2") || place;
  if (next && next.tabIndex < 0) next.tabIndex = -1;
  next?.focus({ preventScroll: true });
});

/* Reload a page that the Back button restored: its buttons are still disabled. */
window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

/* Show one notice while the server is unreachable. */
document.addEventListener("htmx:error", (event) => {
  const notices = document.getElementById("notices");
  if (!notices || !event.detail?.ctx) return;
  const notice = document.createElement("div");
  notice.className = "notice";
  notice.id = "offline";
  notice.dataset.tone = "bad";
  notice.setAttribute("role", "alert");
  const text = document.createElement("div");
  text.textContent = document.body.dataset.silent;
  notice.append(text);
  notices.replaceChildren(notice);
});

/* Remove the notice when the server answers again. */
document.addEventListener("htmx:after:request", () => document.getElementById("offline")?.remove());
window.addEventListener("online", () => document.getElementById("offline")?.remove());
