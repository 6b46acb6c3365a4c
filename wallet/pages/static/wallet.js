// The wallet on the home screen: a shell that works without network.
if ("serviceWorker" in navigator) navigator.serviceWorker.register("/worker.js").catch(() => {});

// Back from an issuer: the form goes on by itself; without scripts a press of its button does the same.
document.querySelector("form[data-goes-on]")?.requestSubmit();
