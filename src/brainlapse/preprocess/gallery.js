// The list of scans, of which only what is on the screen is in the page, and the flicker of a subject's visits.
// Text from the table enters the page as text only: nothing here builds HTML from strings.
"use strict";

const ROW_PIXELS = 92, AROUND = 6, BINS = 24; // AROUND: rows kept above and below the screen
const data = JSON.parse(document.getElementById("data").textContent);
const byId = Object.fromEntries([...document.querySelectorAll("[id]")].map((element) => [element.id, element]));
const figures = data.figures;
const scans = data.scans.map(([subject, scan, status, reason, picture, image, ...values], number) =>
  ({ number, subject, scan, status, reason, picture, image, values, places: [],
    sought: [subject, scan, reason].join("\n").toLowerCase() }));
const visitsOf = new Map();
for (const scan of scans) visitsOf.set(scan.subject, [...(visitsOf.get(scan.subject) || []), scan]);
let listed = [], chosen = -1, inPage = new Map(), timer = null;

// ---- Which is the worst

// The place of every scan in one figure: how many are at least as bad. So the many that share a good value come last.
function rank(figure, column) {
  const measured = scans.filter((scan) => scan.values[column] !== null);
  const sorted = measured.map((scan) => scan.values[column]).sort((a, b) => a - b);
  const middle = sorted[Math.floor(sorted.length / 2)];
  const badness = {
    low: (value) => -value,
    high: (value) => value,
    far: (value) => Math.abs(Math.log(Math.max(value, 1e-9) / Math.max(middle, 1e-9))),
  }[figure.worst];
  figure.values = sorted;
  const order = measured.map((scan) => [badness(scan.values[column]), scan]).sort((a, b) => b[0] - a[0]);
  let place = order.length;
  for (let number = order.length - 1; number >= 0; number--) {
    const [bad, scan] = order[number];
    if (number + 1 < order.length && bad > order[number + 1][0]) place = number + 1;
    scan.places[column] = place;
  }
}

// A scan is as bad as its worst figure.
function judge(scan) {
  scan.place = Math.min(Infinity, ...scan.places.filter(Boolean));
  scan.worst = scan.places.indexOf(scan.place);
}

function keyOf(order) {
  if (order === "table") return (scan) => scan.number;
  if (order === "worst") return (scan) => (scan.status === "quarantined" ? -1 : scan.place);
  return (scan) => scan.places[order] || Infinity;
}

function arrange() {
  const words = byId.text.value.trim().toLowerCase(), status = byId.status.value;
  const key = keyOf(byId.order.value), sign = byId.reverse.checked ? -1 : 1;
  listed = scans.filter((scan) => (!status || scan.status === status) && scan.sought.includes(words));
  // What has no such figure stays at the end, whatever the direction.
  const compare = (a, b) => (a === b ? 0 : a === Infinity ? 1 : b === Infinity ? -1 : sign * (a - b));
  listed.sort((a, b) => compare(key(a), key(b)) || a.number - b.number);
  byId.count.textContent = `${listed.length} of ${scans.length} scans`;
  byId.none.hidden = listed.length > 0;
  markOrder();
  clearRows();
  byId.list.scrollTop = 0;
  choose(listed.length ? 0 : -1);
}

// ---- The list

function make(tag, text, className) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  return element;
}

const shownNumber = (value, digits = 4) => (value === null ? "n/a" : String(Number(value.toPrecision(digits))));
const address = (path) => "./" + path.split("/").map(encodeURIComponent).join("/");
const sidecar = (path) => path.replace(/\.nii(\.gz)?$/, ".json");

function picture(scan) {
  const image = make("img");
  image.decoding = "async";
  image.alt = `${scan.subject}, ${scan.scan}`;
  image.src = address(scan.picture);
  return image;
}

function rowOf(scan, position) {
  const row = make("tr");
  row.id = "row" + position;
  row.setAttribute("aria-rowindex", position + 2);
  row.setAttribute("aria-selected", position === chosen);
  const cells = [make("td"), make("th"), make("td"), ...scan.values.map((value) => make("td", shownNumber(value), "figure"))];
  if (scan.picture) cells[0].append(picture(scan));
  cells[1].scope = "row";
  cells[1].append(clipped(make("strong", scan.subject), make("span", scan.scan)));
  const why = scan.status === "quarantined" ? scan.reason
    : scan.worst < 0 ? "" : `place ${scan.place} in ${figures[scan.worst].label}`;
  cells[2].append(clipped(make("strong", scan.status, scan.status), make("span", why)));
  if (scan.worst >= 0) cells[3 + scan.worst].classList.add("worst");
  if (byId.order.value in figures) cells[3 + Number(byId.order.value)].classList.add("sorted");
  row.append(...cells);
  row.addEventListener("click", () => choose(position));
  return row;
}

function clipped(...parts) {
  const box = make("div", undefined, "clip");
  box.append(...parts);
  box.title = parts.map((part) => part.textContent).filter(Boolean).join("\n");
  return box;
}

const above = make("tr", undefined, "space"), below = make("tr", undefined, "space");
for (const space of [above, below]) {
  space.setAttribute("aria-hidden", "true");
  space.append(make("td"));
}

function clearRows() {
  for (const row of inPage.values()) row.remove();
  inPage.clear();
}

function drawRows() {
  const first = Math.max(0, Math.floor(byId.list.scrollTop / ROW_PIXELS) - AROUND);
  const last = Math.min(listed.length, Math.ceil((byId.list.scrollTop + byId.list.clientHeight) / ROW_PIXELS) + AROUND);
  for (const [position, row] of inPage) {
    if (position < first || position >= last) {
      row.remove();
      inPage.delete(position);
    }
  }
  for (let position = first; position < last; position++) {
    if (inPage.has(position)) continue;
    const row = rowOf(listed[position], position);
    let next = position + 1;
    while (next < last && !inPage.has(next)) next++;
    byId.rows.insertBefore(row, inPage.get(next) || below);
    inPage.set(position, row);
  }
  above.firstChild.style.height = first * ROW_PIXELS + "px";
  below.firstChild.style.height = (listed.length - last) * ROW_PIXELS + "px";
  byId.scans.setAttribute("aria-rowcount", listed.length + 1);
}

function choose(position) {
  inPage.get(chosen)?.setAttribute("aria-selected", "false");
  chosen = position;
  if (position < 0) {
    drawRows();
    stop();
    byId.person.hidden = true;
    byId.scans.removeAttribute("aria-activedescendant");
    return;
  }
  const top = position * ROW_PIXELS, room = byId.list.clientHeight - byId.head.offsetHeight - ROW_PIXELS;
  if (top < byId.list.scrollTop) byId.list.scrollTop = top;
  if (top > byId.list.scrollTop + room) byId.list.scrollTop = top - Math.max(room, 0);
  drawRows();
  inPage.get(position)?.setAttribute("aria-selected", "true");
  byId.scans.setAttribute("aria-activedescendant", "row" + position);
  showPerson(listed[position]);
  markStrips(listed[position]);
}

// ---- The heads of the figures: name, spread of all scans, sorting

function drawHeads() {
  figures.forEach((figure, column) => {
    const head = make("th", undefined, "figure"), button = make("button", figure.label);
    head.scope = "col";
    head.title = figure.meaning;
    button.type = "button";
    button.addEventListener("click", () => {
      const again = byId.order.value === String(column);
      byId.order.value = column;
      byId.reverse.checked = again && !byId.reverse.checked;
      arrange();
    });
    const ends = make("div", undefined, "ends");
    if (figure.values.length) {
      ends.append(make("span", shownNumber(figure.values[0], 3)), make("span", shownNumber(figure.values.at(-1), 3)));
    }
    head.append(button, strip(figure), ends);
    byId.head.append(head);
    figure.head = head;
    byId.order.append(new Option(figure.label, column));
  });
}

// Square roots, so that one outlier among thousands is seen.
function strip(figure) {
  const svg = drawn("svg", { viewBox: `0 0 ${BINS} 1`, preserveAspectRatio: "none", "aria-hidden": "true" });
  const [low, high] = [figure.values[0], figure.values.at(-1)];
  figure.across = (value) => (high > low ? (value - low) / (high - low) : 0.5) * (BINS - 1) + 0.5;
  const counts = new Array(BINS).fill(0);
  for (const value of figure.values) counts[Math.floor(figure.across(value))]++;
  const most = Math.sqrt(Math.max(...counts));
  counts.forEach((count, bin) => {
    const height = count ? 0.08 + 0.92 * Math.sqrt(count) / most : 0;
    if (count) svg.append(drawn("rect", { x: bin + 0.05, width: 0.9, y: 1 - height, height }));
  });
  figure.mark = drawn("line", { y1: 0, y2: 1, visibility: "hidden" });
  svg.append(figure.mark);
  return svg;
}

function drawn(tag, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

function markStrips(scan) {
  figures.forEach((figure, column) => {
    const value = scan.values[column];
    figure.mark.setAttribute("visibility", value === null ? "hidden" : "visible");
    if (value === null) return;
    for (const end of ["x1", "x2"]) figure.mark.setAttribute(end, figure.across(value));
  });
}

function markOrder() {
  const direction = { low: ["ascending", "descending"], high: ["descending", "ascending"], far: ["other", "other"] };
  figures.forEach((figure, column) => {
    const sorted = byId.order.value === String(column);
    figure.head.classList.toggle("sorted", sorted);
    if (sorted) figure.head.setAttribute("aria-sort", direction[figure.worst][Number(byId.reverse.checked)]);
    else figure.head.removeAttribute("aria-sort");
  });
}

// ---- One subject: the visits' pictures over each other, and their figures

let person = { visits: [], frames: [], now: 0 };

function showPerson(scan) {
  const visits = visitsOf.get(scan.subject);
  if (person.visits !== visits) {
    stop();
    person = { visits, now: 0, frames: visits.map(frame) };
    byId.stage.replaceChildren(...person.frames);
    byId.subject.textContent = scan.subject;
    drawVisits();
    byId.person.hidden = false;
  }
  showVisit(visits.indexOf(scan));
}

function frame(scan) {
  if (!scan.picture) return make("p", `${scan.scan}: no picture, since the scan could not be read.`);
  const image = picture(scan);
  image.decoding = "sync"; // or the flicker would flash empty
  image.addEventListener("load", fitStage);
  return image;
}

// As high as the highest of the pictures: a follow-up has a row more than the first scan.
function fitStage() {
  const ratios = person.frames.map((image) => (image.naturalHeight || 0) / (image.naturalWidth || 1));
  byId.stage.style.aspectRatio = 1 / Math.max(...ratios);
}

function showVisit(now) {
  person.frames[person.now].classList.remove("now");
  person.now = now;
  person.frames[now].classList.add("now");
  const visit = person.visits[now];
  byId.shown.textContent = `${visit.scan}, ${now + 1} of ${person.visits.length}`;
  for (const row of byId.visits.rows) {
    [...row.cells].forEach((cell, column) => cell.classList.toggle("now", column === now + 1));
  }
  for (const button of [byId.back, byId.on, byId.play]) button.disabled = person.visits.length < 2;
}

function drawVisits() {
  const line = (name, cell) => {
    const row = make("tr"), head = make("th", name);
    head.scope = "row";
    row.append(head, ...person.visits.map(cell));
    return row;
  };
  const heads = line("", (visit, number) => {
    const head = make("th"), button = make("button", visit.scan);
    head.scope = "col";
    button.type = "button";
    button.addEventListener("click", () => showVisit(number));
    head.append(button);
    return head;
  });
  byId.visits.tHead.replaceChildren(heads);
  const rows = [line("status", (visit) => make("td", visit.status, visit.status))];
  if (person.visits.some((visit) => visit.reason)) rows.push(line("reason", (visit) => make("td", visit.reason || "")));
  figures.forEach((figure, column) => {
    rows.push(line(figure.label, (visit) => make("td", shownNumber(visit.values[column]), visit.worst === column ? "worst" : "")));
    rows.at(-1).title = figure.meaning;
  });
  rows.push(line("files", (visit) => links(visit)));
  byId.visits.tBodies[0].replaceChildren(...rows);
}

function links(visit) {
  const cell = make("td");
  const files = [["picture", visit.picture], ["NIfTI", visit.image], ["JSON", visit.image && sidecar(visit.image)]];
  for (const [name, path] of files) {
    if (!path) continue;
    const link = make("a", name);
    link.href = address(path);
    cell.append(link, " ");
  }
  return cell;
}

function step(by) {
  const count = person.visits.length;
  if (count) showVisit((person.now + by + count) % count);
}

// The flicker is of what was accepted; a raw head among them would only dazzle.
function flick() {
  const usable = person.visits.flatMap((visit, number) => (visit.status === "accepted" ? [number] : []));
  if (usable.length) showVisit(usable[(usable.indexOf(person.now) + 1) % usable.length]);
}

function play() {
  if (timer) return stop();
  if (person.visits.length < 2) return;
  byId.play.setAttribute("aria-pressed", "true");
  byId.shown.setAttribute("aria-live", "off"); // nobody wants to hear it twice a second
  timer = setInterval(flick, 1000 / byId.speed.value);
}

function stop() {
  clearInterval(timer);
  timer = null;
  byId.play.setAttribute("aria-pressed", "false");
  byId.shown.setAttribute("aria-live", "polite");
}

// ---- Keys, filters, start

const moves = {
  ArrowDown: () => chosen + 1, ArrowUp: () => chosen - 1, PageDown: () => chosen + 10, PageUp: () => chosen - 10,
  Home: () => 0, End: () => listed.length - 1,
};
const deeds = { ArrowLeft: () => step(-1), ArrowRight: () => step(1), " ": play, "/": () => byId.text.focus() };

document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.target === byId.text) byId.scans.focus();
  const typing = event.target.closest("select, input:not([type=checkbox])");
  const pressing = event.key === " " && event.target.closest("button, a, input");
  if (typing || pressing || event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key in moves && listed.length) choose(Math.min(Math.max(moves[event.key](), 0), listed.length - 1));
  else if (event.key in deeds) deeds[event.key]();
  else return;
  event.preventDefault();
});

function drawSummary() {
  const accepted = scans.filter((scan) => scan.status === "accepted");
  const people = new Set(accepted.map((scan) => scan.subject)).size;
  byId.summary.textContent =
    `${accepted.length} scans of ${people} subjects accepted, ${scans.length - accepted.length} quarantined.`;
}

function drawReasons() {
  const counts = new Map();
  for (const scan of scans) {
    if (scan.status !== "quarantined") continue;
    const short = (scan.reason || "no reason given").split(":")[0];
    counts.set(short, (counts.get(short) || 0) + 1);
  }
  for (const [reason, count] of [...counts].sort((a, b) => b[1] - a[1])) {
    const button = make("button", `${reason} ×${count}`);
    button.type = "button";
    button.addEventListener("click", () => {
      byId.text.value = byId.text.value === reason ? "" : reason;
      arrange();
    });
    byId.reasons.append(button);
  }
}

document.documentElement.style.setProperty("--row", ROW_PIXELS + "px");
byId.order.append(new Option("worst figure", "worst"), new Option("as in quality.tsv", "table"));
byId.rows.append(above, below);
figures.forEach(rank);
scans.forEach(judge);
drawHeads();
drawSummary();
drawReasons();
let waiting = false;
byId.list.addEventListener("scroll", () => {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => { waiting = false; drawRows(); });
});
addEventListener("resize", drawRows);
byId.text.addEventListener("input", arrange);
for (const control of [byId.status, byId.order, byId.reverse]) control.addEventListener("change", arrange);
byId.back.addEventListener("click", () => step(-1));
byId.on.addEventListener("click", () => step(1));
byId.play.addEventListener("click", play);
byId.speed.addEventListener("input", () => {
  byId.rate.textContent = byId.speed.value;
  if (timer) { stop(); play(); }
});
arrange();
