// What every page has: forms that are sent once, copy buttons, passphrases made visible, focus on what is wrong,
// an end after idle time with a warning, live states. Without scripts each page works all the same.

for (const form of document.querySelectorAll("form:not([data-again])")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "yes";
    for (const button of form.querySelectorAll("button[type=submit]")) button.setAttribute("aria-disabled", "true");
  });
}
// Going back brings the page as it was left: it may be sent again.
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form")) {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll("[aria-disabled]")) button.removeAttribute("aria-disabled");
  }
});

for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  // A name that changes is seen, not heard: the same words stand in a live region for a while.
  const heard = document.createElement("span");
  heard.className = "only-read";
  heard.setAttribute("aria-live", "polite");
  button.after(heard);
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent.trim());
    const words = button.querySelector("span");
    const before = words.textContent;
    words.textContent = heard.textContent = button.dataset.copied;
    setTimeout(() => { words.textContent = before; heard.textContent = ""; }, 3000);
  });
}

for (const box of document.querySelectorAll("[data-reveals]")) {
  box.closest("[hidden]")?.removeAttribute("hidden");
  box.addEventListener("change", () => {
    for (const id of box.dataset.reveals.split(" ")) {
      document.getElementById(id).type = box.checked ? "text" : "password";
    }
  });
}

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}

// Instants in the reader's own time; without scripts they stand there in UTC. A time of day stays on one line.
for (const time of document.querySelectorAll("time[datetime*=T]")) {
  const how = { dateStyle: "clock" in time.dataset ? undefined : "long", timeStyle: "short" };
  const told = new Intl.DateTimeFormat(time.closest("[lang]").lang, how).format(new Date(time.dateTime));
  time.textContent = told.replace(/(\d) h (?=\d)/, "$1\u00a0h\u00a0").replace(/ (?=[ap]\.m\.)/, "\u00a0");
}

document.querySelector("[data-focus]")?.focus();

// <dialog data-idle="seconds" data-stays="/path" data-ends="#form or nothing">: after that long without a sign of life
// the form is sent; a minute before, the dialog asks. Who stays or goes on keeps the service's session too.
const idle = document.querySelector("dialog[data-idle]");
if (idle) {
  const lasts = Number(idle.dataset.idle) * 1000;
  let timers = [], toldAt = Date.now();
  const end = () => {
    if (idle.dataset.ends) document.querySelector(idle.dataset.ends).requestSubmit();
  };
  const restart = () => {
    timers.forEach(clearTimeout);
    timers = [setTimeout(() => idle.showModal(), lasts - Math.min(60000, lasts / 2)), setTimeout(end, lasts)];
  };
  const stay = async () => {
    toldAt = Date.now();
    restart();
    const answer = await fetch(idle.dataset.stays, { redirect: "manual" }).catch(() => null);
    if (answer && !answer.ok) end();
  };
  const alive = () => {
    if (idle.open) return;
    if (Date.now() - toldAt > lasts / 3) stay(); else restart();
  };
  for (const sign of ["pointerdown", "keydown", "scroll"]) addEventListener(sign, alive, { passive: true });
  idle.querySelector("button").addEventListener("click", () => { idle.close(); stay(); });
  idle.addEventListener("cancel", stay);
  restart();
}

// <div data-live="/en/…/events"> holds parts with data-when="state …"; an event {state, go?} shows the right ones.
for (const place of document.querySelectorAll("[data-live]")) {
  const source = new EventSource(place.dataset.live);
  source.addEventListener("message", (event) => {
    const told = JSON.parse(event.data);
    for (const part of place.querySelectorAll("[data-when]")) {
      part.hidden = !part.dataset.when.split(" ").includes(told.state);
    }
    for (const [name, value] of Object.entries(told.words ?? {})) {
      for (const part of place.querySelectorAll(`[data-word="${name}"]`)) part.textContent = value;
    }
    for (const bar of place.querySelectorAll("progress")) {
      if (told.done !== undefined) { bar.max = told.of; bar.value = told.done; }
    }
    if (told.go) { source.close(); location.assign(told.go); }
    if (told.final) source.close();
  });
}
