// The wallet on the home screen: a shell that works without network.
if ("serviceWorker" in navigator) navigator.serviceWorker.register("/worker.js").catch(() => {});
