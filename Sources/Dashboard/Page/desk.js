// What makes the pages quick: they work without any of it.
import { dressScan } from "./scan.js";

const words = document.documentElement.lang.startsWith("zh")
  ? {
    fresh: "有新内容", away: "节点没有应答。本页显示的是最后所知。", file: "选择文件",
    keep: "存放此文件，供合同各方索取", large: "大于 8 MiB：只签署其哈希。", other: "这不是该步骤所指的文件。",
    unkept: "文件未能存放：", without: "再按一次则不存放文件而签署。",
  }
  : {
    fresh: "Something new came in", away: "The node does not answer. This page shows what was known last.", file: "Choose a file",
    keep: "Keep it, so that the others in this contract can ask for it", large: "Larger than 8 MiB: only its hash is signed.",
    other: "This is not the file that the step names.",
    unkept: "The file could not be kept: ", without: "Press again to sign without keeping it.",
  };
const live = document.getElementById("live");
const room = () => document.getElementById("main").dataset.room;

const parse = (text) => new DOMParser().parseFromString(text, "text/html");

// MARK: live updates

// Rooms of an event that this room shows too.
const shows = {
  today: ["contracts"], market: ["market", "capacity"], capacity: ["capacity", "contracts", "ledger"],
  contracts: ["contracts"], contract: ["contracts", "ledger"], ledger: ["ledger", "contracts"],
  partners: ["partners", "contracts", "node"], node: ["node"],
};

// Nobody loses what she is typing or reading in a dialog.
const isChanged = (field) => {
  if (field.matches("[type=checkbox], [type=radio]")) return field.checked !== field.defaultChecked;
  if (!field.matches("select")) return field.value !== field.defaultValue;
  return field.selectedIndex !== Math.max(0, [...field.options].findIndex((one) => one.defaultSelected));
};
const isBusy = () => {
  const main = document.getElementById("room");
  if (document.querySelector("dialog[open]")) return true;
  if (main.contains(document.activeElement) && document.activeElement.matches("input, select, textarea")) return true;
  return [...main.querySelectorAll(":is(form.act, #phone form) :is(input:not([type=hidden]), select, textarea)")].some(isChanged);
};

// Puts another state of a page in the place of this one.
function show(page) {
  for (const part of ["#room", ".side nav"]) {
    const [old, now] = [document.querySelector(part), page.querySelector(part)];
    if (old && now) old.replaceWith(document.adoptNode(now));
  }
  const main = page.getElementById("main");
  if (main) document.getElementById("main").dataset.room = main.dataset.room;
  dress();
}

// The newest event that was heard of.
let heard = document.getElementById("main").dataset.seen;
let waits = false;
let runs = false;
let again = false;
async function refresh() {
  if (isBusy()) { waits = true; return; }
  if (runs) { again = true; return; }
  runs = true;
  waits = false;
  try {
    // What was said on this page once stays until another page is opened. Past the browser's own store,
    // where whoever goes to the same page meanwhile would wait for this answer.
    const answer = await fetch(location.href, { cache: "no-store", headers: { "X-Refresh": "yes" } });
    if (!answer.ok) return;
    const page = parse(await answer.text());
    if (isBusy()) { waits = true; return; }
    const said = document.querySelector("#room > .notice[role=status]");
    const open = [...document.querySelectorAll("#room details[open] > summary")].map((one) => one.textContent);
    show(page);
    if (said) document.querySelector("#room > h1").after(said);
    for (const one of document.querySelectorAll("#room details > summary")) {
      if (open.includes(one.textContent)) one.parentElement.open = true;
    }
    live.textContent = words.fresh;
  } catch { /* the feed says when the node is there again */ } finally {
    runs = false;
    if (again) { again = false; refresh(); }
  }
}

function listen() {
  const feed = new EventSource("/api/v1/events?after=" + heard);
  let lost = false;
  feed.addEventListener("change", (event) => {
    heard = event.lastEventId;
    const about = JSON.parse(event.data).about;
    const wanted = shows[room()] || [];
    if (room() === "today" || about.some((one) => wanted.includes(one))) refresh();
  });
  feed.addEventListener("anew", refresh);
  feed.addEventListener("error", () => { lost = true; live.textContent = words.away; });
  feed.addEventListener("open", () => { document.documentElement.dataset.live = "yes"; if (lost) { lost = false; refresh(); } });
  // A page that a browser keeps for the way back would keep one of its few connections to the node.
  addEventListener("pagehide", () => feed.close(), { once: true });
}
addEventListener("pageshow", (event) => { if (event.persisted) listen(); });
document.addEventListener("focusout", () => setTimeout(() => { if (waits) refresh(); }, 200));

// MARK: previews in a dialog

async function preview(form) {
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), redirect: "follow" });
    const page = parse(await answer.text());
    if (answer.redirected) {
      history.pushState(null, "", answer.url);
      show(page);
      document.title = page.title;
      // It was written before what was heard of meanwhile, and may have come after it.
      if (page.getElementById("main")?.dataset.seen !== heard) refresh();
      return;
    }
    const found = page.getElementById("room");
    if (!found) { location.href = answer.url; return; }
    const dialog = document.createElement("dialog");
    dialog.setAttribute("aria-label", page.title);
    dialog.append(...document.adoptNode(found).childNodes);
    for (const link of dialog.querySelectorAll("a.button")) {
      link.addEventListener("click", (event) => { event.preventDefault(); dialog.close(); });
    }
    dialog.addEventListener("close", () => { dialog.remove(); if (waits) refresh(); });
    document.body.append(dialog);
    dress(dialog);
    dialog.showModal();
  } catch {
    live.textContent = words.away;
  } finally {
    button.disabled = false;
  }
}

// Signing twice by an impatient finger is impossible: the key of a preview counts once.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || !form.reportValidity()) return;
  if (form.elements.sign) {
    const files = [...form.querySelectorAll("input[type=hidden]")].filter((field) => chosen.has(field.value));
    if (files.length && form.elements["o.contract"]) {
      event.preventDefault();
      signKeeping(form, files.map((field) => field.value));
    }
    for (const button of form.querySelectorAll("button")) setTimeout(() => { button.disabled = true; });
    return;
  }
  event.preventDefault();
  const old = form.closest("dialog");
  if (old) old.close();
  preview(form);
});

// MARK: evidence: its hash is signed; the node keeps the file for those in the contract

const largest = 8 << 20;
const part = 65536;
// Files by their hashes, until a step names them.
const chosen = new Map();

async function hash(file) {
  const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function ask(path, body) {
  const token = document.querySelector("meta[name=form-token]").content;
  const answer = await fetch("/api/v1/attachment/" + path, body && {
    method: "POST", headers: { "Content-Type": "application/json", "X-Form-Token": token }, body: JSON.stringify(body),
  });
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.detail);
  return told;
}

// In parts, from where an earlier try ended.
async function keep(contract, digest, file) {
  const known = (await ask("list?contract=" + contract)).attachments.find((one) => one.hash === digest);
  for (let index = known ? known.held : 0; index * part < file.size; index += 1) {
    const bytes = new Uint8Array(await file.slice(index * part, (index + 1) * part).arrayBuffer());
    const chunk = btoa(bytes.reduce((text, byte) => text + String.fromCharCode(byte), ""));
    await ask("put", { contract, hash: digest, size: file.size, index, chunk });
  }
}

// The file first: what is signed then is there for whoever reads it.
async function signKeeping(form, digests) {
  const failed = [];
  for (const digest of digests) {
    const file = chosen.get(digest);
    chosen.delete(digest);
    try { await keep(form.elements["o.contract"].value, digest, file); } catch (error) { failed.push(error.message); }
  }
  if (!failed.length) { form.submit(); return; }
  const notice = document.createElement("p");
  notice.className = "notice bad";
  notice.setAttribute("role", "alert");
  notice.textContent = words.unkept + failed.join(" ") + " " + words.without;
  form.prepend(notice);
  for (const button of form.querySelectorAll("button")) button.disabled = false;
}

function picker() {
  const file = document.createElement("input");
  file.type = "file";
  file.setAttribute("aria-label", words.file);
  return file;
}

// Beside the field of a hash: a file to choose, and whether it is kept.
function dressEvidence(input) {
  const [file, label, box, says] = [picker(), ...["label", "input", "span"].map((name) => document.createElement(name))];
  box.type = "checkbox";
  box.defaultChecked = true;
  label.className = "check";
  label.hidden = true;
  label.append(box, " ", says);
  const choose = async () => {
    const one = file.files[0];
    if (!one) return;
    const digest = await hash(one);
    input.value = digest;
    label.hidden = false;
    box.disabled = one.size > largest;
    says.textContent = box.disabled ? words.large : words.keep;
    if (box.checked && !box.disabled) chosen.set(digest, one); else chosen.delete(digest);
  };
  file.addEventListener("change", choose);
  box.addEventListener("change", choose);
  input.before(file);
  input.closest(".field").after(label);
}

// Beside a step of the owner's own whose file is not here.
function dressAdding(label) {
  const [file, says] = [picker(), document.createElement("small")];
  file.addEventListener("change", async () => {
    if (!file.files[0]) return;
    says.textContent = "";
    try {
      if (await hash(file.files[0]) !== label.dataset.add) throw new Error(words.other);
      if (file.files[0].size > largest) throw new Error(words.large);
      await keep(label.dataset.contract, label.dataset.add, file.files[0]);
      file.blur();
      refresh();
    } catch (error) { says.textContent = error.message; }
  });
  label.append(file, says);
  label.hidden = false;
}

// MARK: weeks of the calendar, drawn with the pointer

function drag(map) {
  const cells = [...map.querySelectorAll("rect[class^=cell]")];
  const [year, month, date] = map.closest("[data-monday]").dataset.monday.split("-").map(Number);
  const two = (number) => String(number).padStart(2, "0");
  const monday = (weeks) => {
    const day = new Date(year, month - 1, date + 7 * weeks);
    return `${day.getFullYear()}-${two(day.getMonth() + 1)}-${two(day.getDate())}T00:00`;
  };
  const first = Math.min(...cells.map((cell) => +cell.getAttribute("x")));
  const week = (cell) => Math.round((+cell.getAttribute("x") - first) / 30);
  let from = null;
  const mark = (to) => {
    const [low, high] = [Math.min(from, to), Math.max(from, to)];
    for (const cell of cells) cell.classList.toggle("cell-drag", week(cell) >= low && week(cell) <= high);
    return [low, high];
  };
  map.addEventListener("pointerdown", (event) => {
    const cell = event.target.closest("rect[class^=cell]");
    if (cell) { from = week(cell); mark(from); event.preventDefault(); }
  });
  map.addEventListener("pointerover", (event) => {
    const cell = event.target.closest("rect[class^=cell]");
    if (cell && from !== null) mark(week(cell));
  });
  addEventListener("pointerup", (event) => {
    if (from === null) return;
    const cell = event.target.closest && event.target.closest("rect[class^=cell]");
    const [low, high] = mark(cell ? week(cell) : from);
    from = null;
    const form = document.querySelector("#declare form");
    if (!form) return;
    const row = cell && [...map.querySelectorAll("text[x='0']")].find((one) => Math.abs(one.getAttribute("y") - cell.getAttribute("y") - 19) < 2);
    if (row && row.textContent) form.elements["o.resource"].value = row.textContent;
    form.elements["t.start"].value = monday(low);
    form.elements["t.end"].value = monday(high + 1);
    form.elements[form.elements["o.resource"].value ? "o.total" : "o.resource"].focus();
  });
}

// MARK: everything that a new part of the page needs

function dress(root = document) {
  for (const input of root.querySelectorAll("input[data-evidence]:not([data-dressed])")) {
    input.dataset.dressed = "yes";
    dressEvidence(input);
  }
  for (const field of root.querySelectorAll("[data-scan]:not([data-dressed])")) {
    field.dataset.dressed = "yes";
    dressScan(field);
  }
  for (const label of root.querySelectorAll("[data-add]:not([data-dressed])")) {
    label.dataset.dressed = "yes";
    dressAdding(label);
  }
  for (const list of root.querySelectorAll(".times:not([data-dressed])")) {
    list.dataset.dressed = "yes";
    const inputs = [...list.querySelectorAll("input")];
    const grow = () => {
      const last = inputs.findLastIndex((input) => input.value);
      inputs.forEach((input, place) => { input.hidden = place > last + 1; });
    };
    list.addEventListener("input", grow);
    grow();
  }
  for (const map of root.querySelectorAll("[data-monday] svg")) drag(map);
  if (location.hash === "#acts") document.querySelector("#acts details")?.setAttribute("open", "");
}

// MARK: keys: g and a letter goes to a room

let begun = 0;
addEventListener("keydown", (event) => {
  if (event.target.matches("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "g") { begun = event.timeStamp; return; }
  if (event.timeStamp - begun < 1500) {
    const link = document.querySelector(`.side a[data-key="${CSS.escape(event.key)}"]`);
    if (link) location.href = link.href;
  }
  begun = 0;
});

dress();
listen();
