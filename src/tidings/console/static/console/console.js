// The little that a page does by itself; all else is HTML and htmx.

// Dialogs: whatever arrives in #dialog is shown; the browser keeps the focus in it and gives it back.
const dialog = document.getElementById("dialog");
document.body.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target === dialog && dialog.innerHTML.trim() && !dialog.open) dialog.showModal();
});
document.body.addEventListener("close-dialog", () => {
  dialog?.close();
  dialog?.replaceChildren(); // at once: what comes with this answer would open it again
});
dialog?.addEventListener("close", () => dialog.replaceChildren());
dialog?.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close();
});

document.addEventListener("click", (event) => {
  const on = (selector) => event.target.closest(selector);
  if (on("[data-close]")) dialog?.close();
  on("[data-dismiss]")?.parentElement.remove();
  const toggle = on("[data-toggle]");
  if (toggle) {
    const shown = document.querySelector(toggle.dataset.toggle).classList.toggle("show");
    toggle.setAttribute("aria-expanded", shown);
  }
  if (on("[data-theme-switch]")) {
    const theme = document.documentElement.dataset.bsTheme === "dark" ? "light" : "dark";
    document.documentElement.dataset.bsTheme = theme;
    localStorage.setItem("theme", theme);
  }
  const copy = on("[data-copy]");
  if (copy) {
    navigator.clipboard.writeText(document.querySelector(copy.dataset.copy).textContent.trim()).then(() => {
      copy.classList.add("copied");
      const said = copy.querySelector("[data-copied]");
      if (said) said.hidden = false;
      setTimeout(() => { copy.classList.remove("copied"); if (said) said.hidden = true; }, 2000);
    });
  }
  // A menu closes when something else is clicked.
  for (const menu of document.querySelectorAll("details.menu-of[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu-of[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// A page says nothing when it loads, so whoever comes from a form that was refused stands at the first field to mend.
function mend(within) {
  if (!within.querySelector("[autofocus]")) within.querySelector(".is-invalid")?.focus();
}
document.body.addEventListener("htmx:afterSettle", (event) => mend(event.target));
mend(document);

// "All of these": a checkbox with data-all="name" ticks every checkbox of that name in its form or table, and what
// depends on a choice (data-chosen="name") says how many there are and is off while there are none.
// data-all-here="name": only those of the same part of a table.
const near = (all) => [...all.closest("tbody").querySelectorAll(`input[type=checkbox][name="${all.dataset.allHere}"]`)];
const boxes = (name) => [...document.querySelectorAll(`input[type=checkbox][name="${name}"]`)];
function count() {
  for (const all of document.querySelectorAll("[data-all]")) {
    const of = boxes(all.dataset.all);
    const chosen = of.filter((box) => box.checked).length;
    all.checked = of.length > 0 && chosen === of.length;
    all.indeterminate = chosen > 0 && chosen < of.length;
  }
  for (const all of document.querySelectorAll("[data-all-here]")) {
    const of = near(all);
    const chosen = of.filter((box) => box.checked).length;
    all.checked = of.length > 0 && chosen === of.length;
    all.indeterminate = chosen > 0 && chosen < of.length;
  }
  for (const one of document.querySelectorAll("[data-chosen]")) {
    const chosen = boxes(one.dataset.chosen).filter((box) => box.checked).length;
    one.disabled = chosen === 0;
    const number = one.querySelector("[data-number]");
    if (number) number.textContent = chosen ? `(${chosen})` : "";
  }
}
document.addEventListener("change", (event) => {
  const all = event.target.dataset?.all;
  if (all) for (const box of boxes(all)) box.checked = event.target.checked;
  if (event.target.dataset?.allHere) for (const box of near(event.target)) box.checked = event.target.checked;
  if (event.target.matches("[data-submit]")) event.target.form.requestSubmit();
  if (event.target.type === "checkbox") count();
});
document.body.addEventListener("htmx:afterSettle", count);
count();

// What was unfolded stays so when its part is asked for again. htmx gives the focus back to what has the same id.
const unfolded = new Set();
document.body.addEventListener("htmx:beforeSwap", (event) => {
  for (const one of event.detail.target.querySelectorAll("details[id][open]")) unfolded.add(one.id);
});
document.body.addEventListener("htmx:afterSettle", (event) => {
  for (const one of event.target.querySelectorAll("details[id]")) if (unfolded.delete(one.id)) one.open = true;
});

// What shows something that changes says hx-trigger="sse:inbox" or "sse:activity", and asks for itself again when there
// is news. One stream a page, and none while nobody sees it: a browser opens six connections to a host for all its tabs.
let stream;
// With data-calm="5000" not more often than so many milliseconds, and the last time is never left out.
const told = {};
function tell(id, topic, one) {
  const wait = (told[id]?.at ?? -Infinity) + Number(one.dataset.calm ?? 0) - performance.now();
  if (wait <= 0) {
    told[id] = { at: performance.now() };
    htmx.trigger(one, `sse:${topic}`);
  } else if (!told[id].later) {
    told[id].later = setTimeout(() => {
      const now = document.getElementById(id);
      told[id].later = undefined;
      if (now) tell(id, topic, now);
    }, wait);
  }
}
function listen() {
  const address = document.body.dataset.live;
  if (!address || stream || document.hidden) return;
  stream = new EventSource(address);
  for (const topic of ["inbox", "activity"]) {
    stream.addEventListener(topic, () => {
      for (const one of document.querySelectorAll(`[hx-trigger*="sse:${topic}"]`)) tell(one.id, topic, one);
    });
  }
  stream.addEventListener("error", () => {
    // The browser comes back by itself, unless it was refused: too many pages, or one that has been open for too long.
    if (stream?.readyState === EventSource.CLOSED) {
      stream = undefined;
      setTimeout(listen, 60_000);
    }
  });
}
document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    stream?.close();
    stream = undefined;
  } else {
    listen();
  }
});
listen();

// A button with data-wait is off for so many seconds; its [data-left] counts them.
const until = new WeakMap();
function wait() {
  for (const button of document.querySelectorAll("[data-wait]")) {
    if (!until.has(button)) until.set(button, performance.now() + button.dataset.wait * 1000);
    const left = Math.ceil((until.get(button) - performance.now()) / 1000);
    button.disabled = left > 0;
    const shown = button.querySelector("[data-left]");
    if (shown) shown.textContent = left > 0 ? `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}` : "";
  }
}
setInterval(wait, 1000);
document.body.addEventListener("htmx:afterSettle", wait);
wait();
