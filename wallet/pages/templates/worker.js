// The shell of the wallet: static files and a page that says there is no network. No page with anybody's data is kept.
const SHELL = {{ shell | tojson }};
const NAME = "shell {{ version }}";

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(NAME).then((cache) => cache.addAll(SHELL)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const old = caches.keys().then((names) => Promise.all(names.filter((each) => each !== NAME).map((each) => caches.delete(each))));
  event.waitUntil(old.then(() => self.clients.claim()));
});

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== location.origin) return;
  if (url.pathname.startsWith("/static/")) {
    event.respondWith(caches.match(event.request).then((kept) => kept ?? fetch(event.request)));
  } else if (event.request.mode === "navigate") {
    const language = url.pathname.startsWith("/fr") ? "fr" : "en";
    event.respondWith(fetch(event.request).catch(() => caches.match(`/${language}/offline`)));
  }
});
