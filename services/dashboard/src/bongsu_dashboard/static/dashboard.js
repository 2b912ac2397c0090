/* What a page does better with a script; without one it works all the same. */
"use strict";

/* Times in the reader's own zone: the server knows UTC only. */
function sayLocally(root) {
  const format = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "medium" });
  for (const time of root.querySelectorAll("time[datetime]")) {
    const said = format.format(new Date(time.dateTime));
    if (time.dataset.local) time.textContent = said;
    else time.title = said;
  }
}

/* The button of a typed confirmation waits for the name; the server checks it all the same. */
function awaitName(root) {
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
  sayLocally(root);
  awaitName(root);
}

document.addEventListener("DOMContentLoaded", () => enhance(document));
document.addEventListener("htmx:after:swap", () => enhance(document));

/* A page that came back by the Back button is looked at anew: what was disabled while it was left is not any more. */
window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

/* The server is out of reach: say so, once. */
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
