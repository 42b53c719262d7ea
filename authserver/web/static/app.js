"use strict";
// Everything works without this file: it spares reloads and double clicks.

// leaving is set once a form is under way: nothing may then load another page.
let leaving = false;

for (const form of document.querySelectorAll("form[data-once]")) {
  form.addEventListener("submit", () => {
    leaving = true;
    // After the browser has collected the form.
    setTimeout(() => { for (const b of form.querySelectorAll("button")) b.disabled = true; });
  });
}
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  leaving = false;
  for (const b of document.querySelectorAll("form[data-once] button")) b.disabled = false;
});

// Answers to an application: sent at once.
document.querySelector("form[data-auto]")?.requestSubmit();

// Frames of applications: go on as soon as all are loaded; the page refreshes anyway.
const next = document.querySelector("[data-next]");
if (next) addEventListener("load", () => location.replace(next.href)); // fires after the frames'

const wait = document.querySelector("[data-wait]");
const reload = () => { if (!leaving) location.reload(); };
if (wait && window.EventSource) {
  const stream = new EventSource(wait.dataset.events);
  stream.addEventListener("status", (event) => {
    if (leaving) return;
    const status = JSON.parse(event.data);
    if (status.state === "continue") {
      stream.close();
      location.replace(status.next);
    } else if (status.state !== wait.dataset.state || !show(status)) {
      stream.close();
      reload();
    }
  });
  // A stream that was closed for good (an error page, say) is looked at by reloading.
  stream.addEventListener("error", () => {
    if (stream.readyState === EventSource.CLOSED) setTimeout(reload, 2000);
  });
} else if (wait) {
  setTimeout(reload, 2000);
}

// show updates the page in place; false when it has other lines than the status.
function show(status) {
  const rows = wait.querySelectorAll(".line");
  if (rows.length !== status.lines.length) return false;
  set(wait.querySelector("[data-text]"), status.text);
  return status.lines.every((line, i) => {
    if (rows[i].dataset.target !== line.target) return false;
    rows[i].className = "line " + line.progress;
    rows[i].ariaLive = line.progress === "retrying" ? "off" : "polite"; // a countdown is not read out
    set(rows[i].querySelector(".progress"), line.text);
    return true;
  });
}

// set leaves equal text alone, so that screen readers hear only news.
function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
