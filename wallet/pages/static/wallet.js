// The wallet on the home screen: a shell that works without network.
if ("serviceWorker" in navigator) navigator.serviceWorker.register("/worker.js").catch(() => {});

// Back from an issuer: the form goes on by itself; without scripts a press of its button does the same.
document.querySelector("form[data-goes-on]")?.requestSubmit();

// Among many cards: what is typed leaves those that say it. Nothing of it is sent anywhere.
const find = document.querySelector("[data-find]");
if (find) {
  const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
  const cards = [...document.querySelectorAll("#cards > li")];
  const said = find.querySelector("[data-none]");
  find.hidden = false;
  find.querySelector("input").addEventListener("input", (event) => {
    const words = plain(event.target.value).split(/\s+/).filter(Boolean);
    for (const each of cards) {
      const text = plain(each.textContent);
      each.hidden = !words.every((word) => text.includes(word));
    }
    said.textContent = cards.every((each) => each.hidden) ? said.dataset.none : "";
  });
}
