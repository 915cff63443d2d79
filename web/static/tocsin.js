"use strict";
/* The pages work without this file; it adds what only a script can do: figures that follow a campaign
   while it is sent, a count and a preview that follow a form, a question before what cannot be undone. */

const EVERY_MS = 1000;
const SETTLE_MS = 300;

/** Put the values of an answer where the page says they belong. */
function fill(root, values) {
  for (const [name, value] of Object.entries(values)) {
    for (const place of root.querySelectorAll(`[data-value="${name}"]`)) {
      if (place.textContent !== value) place.textContent = value;
    }
  }
}

/** Move the parts of a bar: `shares` are [name, from 0 to 1]. */
function draw(root, shares) {
  for (const bar of root.querySelectorAll("svg.bar[data-bar]")) {
    let x = 0;
    for (const [name, share] of shares) {
      const part = bar.querySelector(`.${name}`);
      if (!part) continue;
      part.setAttribute("x", `${x * 100}%`);
      part.setAttribute("width", `${share * 100}%`);
      x += share;
    }
  }
}

async function ask(address, signal) {
  const answer = await fetch(address, { headers: { Accept: "application/json" }, signal });
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.json();
}

/** Follow a campaign: ask every second while the page is looked at, load it anew when its state changes. */
function follow(place) {
  const state = place.dataset.state;
  const spoken = place.querySelector("[data-spoken]");
  let lastSpoken = "";
  async function look() {
    if (!document.hidden) {
      try {
        const news = await ask(place.dataset.live);
        if (news.state !== state) {
          location.reload();
          return;
        }
        fill(place, news.values);
        draw(place, news.shares);
        // Read aloud every tenth of the way, not every second.
        if (spoken && news.spoken !== lastSpoken) spoken.textContent = lastSpoken = news.spoken;
        place.classList.remove("lost");
      } catch {
        place.classList.add("lost");
      }
    }
    setTimeout(look, EVERY_MS);
  }
  setTimeout(look, EVERY_MS);
}

/** The rows of a count, made of text nodes only. */
function showRows(target, rows) {
  const body = target.querySelector("tbody");
  body.replaceChildren(
    ...rows.map(([label, number, kind]) => {
      const row = document.createElement("tr");
      if (kind) row.className = kind;
      const head = document.createElement("th");
      head.scope = "row";
      head.textContent = label;
      const cell = document.createElement("td");
      cell.className = "number";
      cell.textContent = number;
      row.append(head, cell);
      return row;
    }),
  );
}

/** Offer the people of the audience to read the preview as; the one chosen stays chosen. */
function offerPeople(select, people) {
  const chosen = select.value;
  const known = new Set([...select.options].map((option) => option.value));
  if (people.length === known.size && people.every(([number]) => known.has(number))) return;
  const options = people.map(([number, line]) => new Option(line, number, false, number === chosen));
  select.replaceChildren(...(options.length ? options : [new Option(select.dataset.nobody, "")]));
}

/** Let a count, and perhaps a preview, follow what is chosen in a form. */
function accompany(form) {
  const target = document.getElementById(form.dataset.countTarget);
  const frame = form.querySelector("iframe");
  const people = form.querySelector("[data-people]");
  let waiting = 0;
  let asked = null;
  const problem = target.querySelector("[data-problem]");
  const hint = target.querySelector("[data-hint]");
  // What is yet to choose is a hint; it is a mistake once it was chosen and taken back, or sent so.
  let past = problem.textContent !== "";
  function show(news) {
    past ||= news.rows.length > 0;
    problem.textContent = news.problem || (past && news.hint) || "";
    if (hint) hint.textContent = past ? "" : news.hint;
    showRows(target, news.rows);
    for (const part of form.querySelectorAll("[data-channel]")) part.hidden = part.dataset.channel !== news.channel;
    if (news.values) fill(form, news.values);
    if (people) offerPeople(people, news.people);
    if (frame && news.preview && frame.getAttribute("src") !== news.preview) frame.src = news.preview;
  }
  async function refresh() {
    if (asked) asked.abort();
    asked = new AbortController();
    const fields = new URLSearchParams(new FormData(form));
    fields.delete("csrf");
    try {
      show(await ask(`${form.dataset.count}?${fields}`, asked.signal));
    } catch (error) {
      if (error.name !== "AbortError") problem.textContent = target.dataset.lost;
    }
  }
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(refresh, SETTLE_MS);
  });
}

/** Bring a part of another page here: what takes too long to make this page wait for it. */
async function bring(place) {
  const here = place.querySelector("[data-part-here]");
  try {
    const answer = await fetch(place.dataset.part, { headers: { Accept: "text/html" } });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const part = page.getElementById("part");
    if (part) here.replaceChildren(...part.childNodes);
    // What it tells of is still under way: it is brought again.
    if (part && "again" in part.dataset) setTimeout(() => bring(place), EVERY_MS);
  } catch {
    /* The link to the other page stays. */
  }
}

// What a notice told is told once: neither the next look nor a bookmark repeats it.
if (new URLSearchParams(location.search).has("said")) history.replaceState(null, "", location.pathname);
// On a phone the menu is wider than the screen: where we are is seen.
for (const here of document.querySelectorAll(".nav [aria-current]")) {
  here.scrollIntoView({ block: "nearest", inline: "center" });
}
for (const place of document.querySelectorAll("[data-live]")) follow(place);
for (const place of document.querySelectorAll("[data-part]")) bring(place);
for (const form of document.querySelectorAll("form[data-count]")) accompany(form);
for (const form of document.querySelectorAll("form[data-confirm]")) {
  form.addEventListener("submit", (event) => {
    if (!window.confirm(form.dataset.confirm)) event.preventDefault();
  });
}
for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = button.dataset.copied;
  });
}
