// Two keys, both with Ctrl so that they never meet what somebody types: K for the search, Enter to go on.
addEventListener("keydown", (event) => {
  if (!event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key.toLowerCase() === "k") {
    event.preventDefault();
    const box = document.getElementById("f-search");
    if (box) { box.focus(); box.select(); } else location.assign(`/${document.documentElement.lang.slice(0, 2)}/`);
  }
  if (event.key === "Enter") {
    const form = document.activeElement?.closest("form");
    if (form) { event.preventDefault(); form.requestSubmit(); }
  }
});
