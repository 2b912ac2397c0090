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

function enhance(root) {
  localiseTimes(root);
  guardConfirmation(root);
}

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
document.addEventListener("DOMContentLoaded", () => { enhance(document); restartPolls(); });
document.addEventListener("htmx:after:swap", () => { enhance(document); restartPolls(); });

/* Reload a page that the Back button restored: its buttons are still disabled. */
window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

/* Show one notice while the server is unreachable. */
document.addEventListener("htmx:error", (event) => {
  const notices = document.getElementById("notices");
  if (!notices || !event.detail?.ctx) return;
  const notice = document.createElement("div");
  notice.className = "notice";
  notice.dataset.tone = "bad";
  notice.setAttribute("role", "alert");
  const text = document.createElement("div");
  text.textContent = document.body.dataset.silent;
  notice.append(text);
  notices.replaceChildren(notice);
});
