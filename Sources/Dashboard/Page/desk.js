// What makes the pages quick: they work without any of it.
import { dressScan } from "./scan.js";

const words = document.documentElement.lang.startsWith("zh")
  ? {
    fresh: "有新内容", away: "节点没有应答。您输入的内容仍在此处。", over: "此会话已结束。", stays: "您输入的内容仍在此处，可以复制。",
    anew: "请重新打开这些页面：运行节点的电脑菜单中的“符契”，或 talea open。", pair: "请在运行节点的电脑上重新配对此手机。",
    odd: "节点未能处理。您输入的内容仍在此处。", file: "选择文件",
    keep: "存放此文件，供合同各方索取", large: "大于 8 MiB：只签署其哈希。", other: "这不是该步骤所指的文件。",
    unkept: "文件未能存放：", without: "再按一次则不存放文件而签署。",
  }
  : {
    fresh: "Something new came in", away: "The node does not answer. What you typed stays here.", over: "This session is over.",
    stays: "What you typed stays here to be copied.",
    anew: "Open these pages anew: Talea in the menu of the computer that runs the node, or talea open.",
    pair: "Pair this phone anew at the computer that runs the node.",
    odd: "The node could not take this. What you typed stays here.", file: "Choose a file",
    keep: "Keep it, so that the others in this contract can ask for it", large: "Larger than 8 MiB: only its hash is signed.",
    other: "This is not the file that the step names.",
    unkept: "The file could not be kept: ", without: "Press again to sign without keeping it.",
  };
const live = document.getElementById("live");
const room = () => document.getElementById("main").dataset.room;

const parse = (text) => new DOMParser().parseFromString(text, "text/html");

// MARK: whether the node answers

const banner = document.getElementById("away");
// Pages of a phone are opened anew in another way than those of the computer.
const anew = location.protocol === "https:" ? words.pair : words.anew;
let told = "";
let telling = 0;

// Where it is seen: before the page, or in the dialog that covers it.
const place = () => (document.querySelector("dialog[open]") || document.getElementById("main")).prepend(banner);

function tell(text) {
  if (text === told) return;
  told = text;
  clearTimeout(telling);
  place();
  banner.textContent = text;
  // Started anew, it may listen where this page does not ask.
  if (text === words.away) telling = setTimeout(() => { banner.textContent = text + " " + anew; }, 20000);
}

let leaving = false;
addEventListener("pagehide", () => { leaving = true; });
addEventListener("beforeunload", () => { leaving = true; setTimeout(() => { leaving = false; }, 5000); });

// What the node says to this, if it does and this session is not over; else the banner tells.
async function reach(address, what = {}) {
  let answer;
  try { answer = await fetch(address, what); } catch {
    if (!leaving) tell(words.away);
    return null;
  }
  if (answer.status === 401) { tell([words.over, anew, words.stays].join(" ")); return null; }
  tell("");
  return answer;
}

// What was said on this page once stays until another page is opened. Past the browser's own store, where whoever goes
// to the same page meanwhile would wait for this answer.
const newest = () => reach(location.href, {
  cache: "no-store", headers: { "X-Refresh": "yes" }, signal: AbortSignal.timeout(30000),
});

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
  if (field.multiple) return [...field.options].some((one) => one.selected !== one.defaultSelected);
  return field.selectedIndex !== Math.max(0, [...field.options].findIndex((one) => one.defaultSelected));
};
const isBusy = () => {
  const main = document.getElementById("room");
  if (document.querySelector("dialog[open]")) return true;
  if (main.contains(document.activeElement) && document.activeElement.matches("input, select, textarea")) return true;
  return [...main.querySelectorAll("form :is(input:not([type=hidden]), select, textarea)")].some(isChanged);
};

// What an element is about, so that it is found again on the page's next state: where it leads, or what the form or row
// around it is about, and its place there.
function about(one) {
  const row = one.closest("form, tr, li") || one.closest("details");
  const own = one.getAttribute("href") || one.getAttribute("aria-label");
  if (own || !row) return `${one.tagName} ${own || one.textContent}`;
  const hidden = [...row.querySelectorAll("input[type=hidden]:not([name=form-token])")].map((field) => field.value);
  const links = [...row.querySelectorAll("a[href]")].map((link) => link.getAttribute("href"));
  return [one.tagName, [...row.querySelectorAll(one.tagName)].indexOf(one), ...(hidden.length ? hidden : links)].join(" ");
}

// Remembers these elements; gives what finds the same ones later, each with what was remembered of it.
function remember(selector, what) {
  const all = () => {
    const seen = {};
    return [...document.querySelectorAll(selector)].map((one) => {
      const name = about(one);
      seen[name] = (seen[name] || 0) + 1;
      return [name + " " + seen[name], one];
    });
  };
  const known = new Map(all().map(([name, one]) => [name, what(one)]));
  return () => all().filter(([name]) => known.has(name)).map(([name, one]) => [one, known.get(name)]);
}

// Puts another state of a page in the place of this one.
function show(page) {
  for (const part of ["#room", ".side nav", ".foot"]) {
    const [old, now] = [document.querySelector(part), page.querySelector(part)];
    if (old && now) old.replaceWith(document.adoptNode(now));
  }
  const main = page.getElementById("main");
  if (main) document.getElementById("main").dataset.room = main.dataset.room;
  dress();
}

// The same, with what she opened open, what she scrolled where it was, and the focus where she had it.
function renew(page) {
  const said = document.querySelector("#room > .notice[role=status]");
  const had = document.activeElement?.closest("#room, .side");
  const opened = remember("#room details", (one) => one.open);
  const scrolled = remember("#room .scroll", (one) => one.scrollLeft);
  const focused = remember("#room :is(a, button, summary, [tabindex]), .side a", (one) => one === document.activeElement);
  show(page);
  if (said) document.querySelector("#room > h1").after(said);
  for (const [one, open] of opened()) one.open = open;
  for (const [one, left] of scrolled()) one.scrollLeft = left;
  if (!had) return;
  const found = focused().find(([, is]) => is);
  (found ? found[0] : document.getElementById("main")).focus({ preventScroll: true });
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
    const address = location.href;
    const answer = await newest();
    if (!answer || !answer.ok) return;
    const page = parse(await answer.text());
    // An act led to another page meanwhile.
    if (address !== location.href) return;
    if (isBusy()) { waits = true; return; }
    renew(page);
    live.textContent = words.fresh;
  } catch { /* broken off: the feed says when the node is there again */ } finally {
    runs = false;
    if (again) { again = false; refresh(); }
  }
}

function listen() {
  const feed = new EventSource("/api/v1/events?after=" + heard);
  let lost = false;
  feed.addEventListener("change", (event) => {
    heard = event.lastEventId;
    const changed = JSON.parse(event.data).about;
    const wanted = shows[room()] || [];
    if (room() === "today" || changed.some((one) => wanted.includes(one))) refresh();
  });
  feed.addEventListener("anew", refresh);
  feed.addEventListener("error", async () => {
    lost = true;
    const answer = await newest();
    // The browser asks again by itself, unless it was told no.
    if (feed.readyState !== EventSource.CLOSED || leaving) return;
    if (answer || told === words.away) setTimeout(listen, 5000);
  });
  feed.addEventListener("open", () => {
    document.documentElement.dataset.live = "yes";
    tell("");
    if (lost) { lost = false; refresh(); }
  });
  // A page that a browser keeps for the way back would keep one of its few connections to the node.
  addEventListener("pagehide", () => feed.close(), { once: true });
}
addEventListener("pageshow", (event) => { if (event.persisted) { leaving = false; listen(); } });
document.addEventListener("focusout", () => setTimeout(() => { if (waits) refresh(); }, 200));

// MARK: previews in a dialog

// Forms that wait for an answer: an impatient finger sends none twice.
const sent = new Set();

async function send(form) {
  if (sent.has(form)) return;
  const button = form.querySelector("button:not([type=button])");
  sent.add(form);
  button.setAttribute("aria-disabled", "true");
  try {
    const answer = await reach(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), redirect: "follow" });
    if (!answer) return;
    const text = await answer.text();
    const page = parse(text);
    const found = page.getElementById("room");
    // A refusal that is no page.
    if (!found) { tell(text.startsWith("{") && JSON.parse(text).detail || words.odd); return; }
    form.closest("dialog")?.close();
    if (answer.redirected) arrive(page, answer.url); else openDialog(page, found, button);
  } catch {
    tell(words.away);
  } finally {
    sent.delete(form);
    button.removeAttribute("aria-disabled");
  }
}

// The page to which an act leads.
function arrive(page, address) {
  history[address === location.href ? "replaceState" : "pushState"](null, "", address);
  const isOther = here !== location.pathname + location.search;
  here = location.pathname + location.search;
  if (isOther) scrollTo(0, 0);
  show(page);
  document.title = page.title;
  document.getElementById("main").focus({ preventScroll: true });
  live.textContent = document.querySelector("#room > .notice[role=status]")?.textContent.trim() || "";
  // It was written before what was heard of meanwhile, and may have come after it.
  if (page.getElementById("main")?.dataset.seen !== heard) refresh();
}

// What the pages are about that the browser goes back to: acts led from one to the other without loading it.
let here = location.pathname + location.search;
addEventListener("popstate", () => { if (here !== location.pathname + location.search) location.reload(); });

function openDialog(page, found, opener) {
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-label", page.title);
  dialog.append(...document.adoptNode(found).childNodes);
  for (const link of dialog.querySelectorAll("a.button")) {
    link.addEventListener("click", (event) => { event.preventDefault(); dialog.close(); });
  }
  dialog.addEventListener("close", () => {
    dialog.remove();
    place();
    // Where a browser does not give it back.
    if (document.activeElement === document.body) opener.focus();
    if (waits) refresh();
  });
  document.body.append(dialog);
  dress(dialog);
  dialog.showModal();
  // The field that is to be changed rather than the way back before it.
  dialog.querySelector("form :is(input:not([type=hidden]), select, textarea)")?.focus();
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || !form.reportValidity()) return;
  // What answers these may be a file, or a page of its own: the browser takes it.
  if (!form.action.endsWith("/act")) {
    for (const button of form.querySelectorAll("button")) setTimeout(() => { button.disabled = true; });
    return;
  }
  event.preventDefault();
  const files = [...form.querySelectorAll("input[type=hidden]")].filter((field) => chosen.has(field.value));
  if (form.elements.sign && files.length && form.elements["o.contract"]) signKeeping(form, files.map((field) => field.value));
  else send(form);
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
  if (sent.has(form)) return;
  sent.add(form);
  const failed = [];
  for (const digest of digests) {
    const file = chosen.get(digest);
    chosen.delete(digest);
    try { await keep(form.elements["o.contract"].value, digest, file); } catch (error) { failed.push(error.message); }
  }
  sent.delete(form);
  if (!failed.length) { send(form); return; }
  const notice = document.createElement("p");
  notice.className = "notice bad";
  notice.setAttribute("role", "alert");
  notice.textContent = words.unkept + failed.join(" ") + " " + words.without;
  form.prepend(notice);
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

// MARK: weeks of the calendar, drawn with a mouse, or named by two taps: a finger that moves scrolls

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
  const under = (event) => event.target.closest?.("rect[class^=cell]");
  const mark = (from, to) => {
    const [low, high] = [Math.min(from, to), Math.max(from, to)];
    for (const cell of cells) cell.classList.toggle("cell-drag", week(cell) >= low && week(cell) <= high);
    return [low, high];
  };
  const choose = (from, to, cell) => {
    const [low, high] = mark(from, to);
    const form = document.querySelector("#declare form");
    if (!form) return null;
    const row = cell && [...map.querySelectorAll("text[x='0']")].find((one) => Math.abs(one.getAttribute("y") - cell.getAttribute("y") - 19) < 2);
    const resource = row?.querySelector("title").textContent;
    if (resource) form.elements["o.resource"].value = resource;
    form.elements["t.start"].value = monday(low);
    form.elements["t.end"].value = monday(high + 1);
    return form.elements[form.elements["o.resource"].value ? "o.total" : "o.resource"];
  };
  let from = null;
  let isMouse = true;
  map.addEventListener("pointerdown", (event) => {
    const cell = under(event);
    isMouse = event.pointerType === "mouse";
    if (!cell || !isMouse) return;
    from = week(cell);
    mark(from, from);
    event.preventDefault();
    addEventListener("pointerup", (event) => {
      const cell = under(event);
      choose(from, cell ? week(cell) : from, cell)?.focus();
      from = null;
    }, { once: true });
  });
  map.addEventListener("pointerover", (event) => {
    const cell = under(event);
    if (cell && from !== null) mark(from, week(cell));
  });
  let tapped = null;
  map.addEventListener("click", (event) => {
    const cell = under(event);
    if (!cell || isMouse) return;
    const field = choose(tapped ?? week(cell), week(cell), cell);
    if (tapped !== null) field?.focus();
    tapped = tapped === null ? week(cell) : null;
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
  // What stands in its middle is seen first.
  for (const one of root.querySelectorAll(".scroll[data-middle]:not([data-dressed])")) {
    one.dataset.dressed = "yes";
    one.scrollLeft = (one.scrollWidth - one.clientWidth) / 2;
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
