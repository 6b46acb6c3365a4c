// Cards to be read without network (decision 0034). The copy lies in this browser's database, sealed: each copy to a
// public key of its own, so that it can be renewed without asking; the private key opens with a passphrase that never
// leaves the page. PBKDF2 of WebCrypto, because browsers have no Argon2.

const DATABASE = "comity-offline", STORE = "copies", NAME = "mine";
const ROUNDS = 600_000, LEAST = 12, LOCK_AFTER_MS = 300_000;
const EACH_PART_MS = 450, MODULE_PIXELS = 6; // fewer than three a second (WCAG 2.3.1)
const CURVE = { name: "ECDH", namedCurve: "P-256" };
const CONTEXT = new TextEncoder().encode("comity wallet offline copy 1");

const canKeep = Boolean(globalThis.indexedDB && globalThis.crypto?.subtle);

// --- the browser's database

function stored(mode, act) {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(DATABASE, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const database = opening.result;
      const transaction = database.transaction(STORE, mode);
      const asked = act(transaction.objectStore(STORE));
      transaction.oncomplete = () => { database.close(); resolve(asked.result); };
      transaction.onabort = () => { database.close(); reject(transaction.error); };
    };
  });
}
const find = () => stored("readonly", (store) => store.get(NAME));
const save = (copy) => stored("readwrite", (store) => store.put(copy, NAME));
const remove = () => stored("readwrite", (store) => store.delete(NAME));

// --- sealing and opening

const random = (length) => crypto.getRandomValues(new Uint8Array(length));
const sealing = (iv) => ({ name: "AES-GCM", iv, additionalData: CONTEXT });

async function wrappingKey(passphrase, salt, iterations) {
  const typed = await crypto.subtle.importKey("raw", new TextEncoder().encode(passphrase.normalize("NFKC")), "PBKDF2", false, ["deriveKey"]);
  const how = { name: "PBKDF2", hash: "SHA-256", salt, iterations };
  return crypto.subtle.deriveKey(how, typed, { name: "AES-GCM", length: 256 }, false, ["wrapKey", "unwrapKey"]);
}

// NIST SP 800-56A: the shared secret goes through a derivation, never straight into the cipher.
async function contentKey(privateKey, publicKey) {
  const shared = await crypto.subtle.deriveBits({ name: "ECDH", public: publicKey }, privateKey, 256);
  const secret = await crypto.subtle.importKey("raw", shared, "HKDF", false, ["deriveKey"]);
  const how = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: CONTEXT };
  return crypto.subtle.deriveKey(how, secret, { name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
}

async function begin(passphrase) {
  const pair = await crypto.subtle.generateKey(CURVE, true, ["deriveBits"]);
  const salt = random(16), wrapIv = random(12);
  const wrapping = await wrappingKey(passphrase, salt, ROUNDS);
  const wrapped = await crypto.subtle.wrapKey("pkcs8", pair.privateKey, wrapping, sealing(wrapIv));
  return { salt, rounds: ROUNDS, wrapIv, wrapped, to: await crypto.subtle.exportKey("raw", pair.publicKey) };
}

async function seal(lock, value) {
  const to = await crypto.subtle.importKey("raw", lock.to, CURVE, false, []);
  const once = await crypto.subtle.generateKey(CURVE, false, ["deriveBits"]);
  const iv = random(12);
  const words = new TextEncoder().encode(JSON.stringify(value));
  const sealed = await crypto.subtle.encrypt(sealing(iv), await contentKey(once.privateKey, to), words);
  const from = await crypto.subtle.exportKey("raw", once.publicKey);
  return { iv, from, sealed };
}

// Codes are drawn anew, and sealed anew, only when they changed: `mark` says for which cards they are.
async function copied(lock, told, before) {
  const { codes, ...readable } = told;
  const mark = codes?.mark;
  const drawn = codes?.codes ? await seal(lock, codes) : mark && before?.mark === mark ? before.codes : undefined;
  return { ...lock, owner: told.owner, takenAt: told.taken_at, mark, codes: drawn, ...await seal(lock, { ...readable, mark }) };
}

// Fails for a wrong passphrase; what fails after it is a damaged copy.
async function unwrapped(copy, passphrase) {
  const wrapping = await wrappingKey(passphrase, copy.salt, copy.rounds);
  return crypto.subtle.unwrapKey("pkcs8", copy.wrapped, wrapping, sealing(copy.wrapIv), CURVE, false, ["deriveBits"]);
}

async function unseal(copy, own) {
  const from = await crypto.subtle.importKey("raw", copy.from, CURVE, false, []);
  const words = await crypto.subtle.decrypt(sealing(copy.iv), await contentKey(own, from), copy.sealed);
  return JSON.parse(new TextDecoder().decode(words));
}

async function current(path, lock) {
  const wanted = new URLSearchParams({ tells: lock.tells ?? "nothing", drawn: lock.mark ?? "" });
  const answer = await fetch(`${path}?${wanted}`, { headers: { accept: "application/json" }, redirect: "error" });
  if (!answer.ok) throw new Error("no copy to be had");
  return answer.json();
}

// What fails is said in the page, in its own words: data-… of the element that waits for it.
function tell(what) {
  const place = document.querySelector("[data-trouble]");
  if (!place) return;
  place.textContent = place.dataset[what];
}

const inWords = (at) => new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "long", timeStyle: "short" }).format(new Date(at));

// --- the page where somebody keeps a copy, or removes it

async function keeping(form) {
  const state = document.querySelector("[data-offline-state]");
  const said = form.querySelector("[data-said]");
  const show = async () => {
    const copy = await find();
    state.hidden = !copy;
    if (copy) state.querySelector("[data-taken]").textContent = inWords(copy.takenAt);
  };
  document.querySelector("[data-offline-remove]").addEventListener("click", async () => {
    try {
      await remove();
      await show();
    } catch {
      tell("notRemoved");
    }
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const field = form.elements.passphrase;
    said.textContent = form.dataset.short;
    if ([...field.value].length < LEAST) return;
    said.textContent = form.dataset.working;
    try {
      const lock = { ...await begin(field.value), tells: form.elements.tells.value };
      await save(await copied(lock, await current(form.dataset.told, lock)));
      field.value = said.textContent = "";
      await show();
    } catch {
      said.textContent = form.dataset.failed;
    }
  });
  await show();
  document.querySelector("[data-offline-cannot]").hidden = true;
  form.hidden = false;
}

// --- the page without network

async function reading(form) {
  const copy = await find();
  if (!copy) return;
  const opened = document.querySelector("[data-opened]"), none = document.querySelector("[data-none]");
  const said = form.querySelector("[data-said]");
  const list = opened.querySelector("[data-cards]");
  let timer;
  const close = () => {
    clearTimeout(timer);
    list.replaceChildren();
    opened.hidden = true;
    form.hidden = false;
    none.hidden = false;
  };
  opened.querySelector("[data-close]").addEventListener("click", () => { close(); form.elements.passphrase.focus(); });
  addEventListener("pagehide", close);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    said.textContent = form.dataset.working;
    try {
      const own = await unwrapped(copy, form.elements.passphrase.value);
      try {
        const told = await unseal(copy, own);
        const language = document.documentElement.lang.slice(0, 2);
        const drawnFor = copy.codes && await unseal(copy.codes, own);
        const codes = told.mark && drawnFor?.mark === told.mark ? drawnFor.codes : [];
        list.replaceChildren(...told.cards[language].map((each, number) => drawn(each, opened.dataset.ended, codes[number], language)));
        opened.querySelector("[data-with-codes]").hidden = !codes.some(Boolean);
        opened.querySelector("[data-without-codes]").hidden = codes.some(Boolean);
      } catch {
        said.textContent = "";
        tell("damaged");
        return;
      }
    } catch {
      said.textContent = form.dataset.wrong;
      form.elements.passphrase.focus();
      return;
    }
    form.elements.passphrase.value = said.textContent = "";
    form.hidden = none.hidden = true;
    opened.hidden = false;
    opened.focus();
    timer = setTimeout(close, LOCK_AFTER_MS);
  });
  form.hidden = false;
}

function drawn(card, ended, code, language) {
  const place = document.querySelector("[data-card]").content.cloneNode(true);
  for (const part of place.querySelectorAll("[data-text]")) part.textContent = card[part.dataset.text];
  if (card.css) place.querySelector("[data-css]").classList.add(...card.css.split(" "));
  place.querySelector("[data-checked]").textContent = inWords(card.checked_at);
  const isOver = card.valid_until && new Date(card.valid_until) <= new Date();
  const [kind, words] = isOver && card.badge[0] !== "bad" ? ["bad", ended] : card.badge;
  const badge = document.querySelector(`[data-badge-of="${kind}"]`).content.cloneNode(true);
  badge.querySelector(".badge > span").textContent = words;
  place.querySelector("[data-badge]").append(badge);
  for (const [label, value] of card.pictures) {
    const picture = document.createElement("img");
    Object.assign(picture, { src: value, alt: label, width: 140, height: 180 });
    place.querySelector("[data-pictures]").append(picture);
  }
  for (const [label, value] of card.claims) {
    const line = document.createElement("div"), name = document.createElement("dt"), said = document.createElement("dd");
    name.textContent = label;
    said.append(document.createElement("bdi"));
    said.firstChild.textContent = value;
    line.append(name, said);
    place.querySelector("[data-claims]").append(line);
  }
  const shown = place.querySelector("[data-code]");
  if (code) showing(shown, code, language);
  else shown.remove();
  return place;
}

// --- a code in parts (record 0043): its frames one after the other, or one at a time for who wants no motion

function showing(place, code, language) {
  const canvas = place.querySelector("canvas"), at = place.querySelector("[data-at]"), pause = place.querySelector("[data-pause]");
  let number = 0, timer;
  const show = (next) => {
    number = (next + code.frames.length) % code.frames.length;
    paint(canvas, ...code.frames[number]);
    at.textContent = at.dataset.words.replace("##", code.frames.length).replace("#", number + 1);
  };
  const run = (runs) => {
    clearInterval(timer);
    if (runs) timer = setInterval(() => (canvas.isConnected ? show(number + 1) : clearInterval(timer)), EACH_PART_MS);
    pause.setAttribute("aria-pressed", String(!runs));
  };
  pause.addEventListener("click", () => run(pause.getAttribute("aria-pressed") === "true"));
  place.querySelector("[data-previous]").addEventListener("click", () => { run(false); show(number - 1); });
  place.querySelector("[data-next]").addEventListener("click", () => { run(false); show(number + 1); });
  place.querySelector("[data-facts]").replaceChildren(...code.facts[language].map((fact) => {
    const line = document.createElement("li");
    line.textContent = fact;
    return line;
  }));
  place.addEventListener("toggle", () => run(place.open && !matchMedia("(prefers-reduced-motion: reduce)").matches));
  show(0);
}

function paint(canvas, size, bits) {
  const octets = Uint8Array.from(atob(bits.replaceAll("-", "+").replaceAll("_", "/")), (each) => each.charCodeAt(0));
  canvas.width = canvas.height = size * MODULE_PIXELS;
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.fillStyle = "#000";
  for (let place = 0; place < size * size; place += 1) {
    if (octets[place >> 3] >> (7 - (place & 7)) & 1) {
      pen.fillRect((place % size) * MODULE_PIXELS, Math.floor(place / size) * MODULE_PIXELS, MODULE_PIXELS, MODULE_PIXELS);
    }
  }
}

// --- any page of the open wallet that shows cards: what is kept follows them, in the background

async function renewing(path) {
  const copy = await find();
  if (!copy) return;
  const told = await current(path, copy);
  if (told.owner === copy.owner) await save(await copied(copy, told, copy));
}

if (canKeep) {
  const form = document.querySelector("[data-offline]");
  const renewed = document.querySelector("meta[name=offline-copy]");
  if (form?.dataset.offline === "keep") keeping(form).catch(() => tell("unreadable"));
  else if (form?.dataset.offline === "read") reading(form).catch(() => tell("unreadable"));
  else if (renewed) renewing(renewed.content).catch(() => tell("notRenewed"));
}
