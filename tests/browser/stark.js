// What a page must still tell where colours are the person's own (forced colours): what would not be seen, or not be
// told apart; an empty list when all is well.
(() => {
  const out = [];
  const named = (it) => `${it.tagName.toLowerCase()}.${it.getAttribute("class") ?? ""} ${it.innerText?.slice(0, 30) ?? ""}`;
  const about = (it) => getComputedStyle(it);
  const isClear = (colour) => colour === "transparent" || /^rgba\(.*, 0\)$/.test(colour);
  const behind = (it) => {
    while (it && isClear(about(it).backgroundColor)) it = it.parentElement;
    return it ? about(it).backgroundColor : about(document.documentElement).backgroundColor;
  };
  const all = (which) => [...document.querySelectorAll(which)].filter((it) => it.checkVisibility() && it.getClientRects().length);
  if (!matchMedia("(forced-colors: active)").matches) return ["the colours are not forced"];

  const edged = ".button, .field input:not([type=file]), .field select, .field textarea, .search-line input, .badge, "
    + ".notice, .card, .panel, .verdict, .counter-screen, .counter-question, .counter-now, .names li, .swatch, .strip-colour";
  for (const it of all(edged)) {
    const look = about(it);
    const seen = parseFloat(look.borderTopWidth) > 0 && look.borderTopStyle !== "none" && look.borderTopColor !== behind(it.parentElement);
    const filled = look.backgroundColor !== behind(it.parentElement) && !isClear(look.backgroundColor);
    if (!seen && !filled) out.push(`no edge: ${named(it)}`);
  }
  for (const it of all("svg.icon path, svg.mark [stroke]")) {
    const line = about(it).stroke;
    if (line === "none" || line === behind(it.closest("svg").parentElement)) out.push(`no line: ${line} on ${behind(it.closest("svg").parentElement)}: ${named(it.closest("svg").parentElement)}`);
  }
  for (const it of all(".badge:not(.badge-info), .notice, .verdict, .counter-screen, .facts > li, .counter-checks > li")) {
    if (!it.querySelector("svg.icon")) out.push(`told by colour alone: ${named(it)}`);
    if (!it.innerText.trim()) out.push(`told without a word: ${named(it)}`);
  }
  for (const it of all("svg.qr")) {
    const drawn = [about(it.querySelector("path")).fill, about(it.querySelector("rect")).fill].join();
    if (drawn !== "rgb(0, 0, 0),rgb(255, 255, 255)" || about(it).forcedColorAdjust !== "none") out.push(`a code that no phone reads: ${drawn}`);
  }
  for (const [here, others] of [[".nav a[aria-current]", ".nav a:not([aria-current])"], [".steps .is-now", ".steps li:not(.is-now)"]]) {
    const edge = (it) => { const look = about(it); return [look.borderTopWidth, look.borderTopStyle, look.borderBottomColor].join(); };
    for (const one of all(here)) for (const other of all(others)) {
      if (edge(one) === edge(other)) out.push(`nothing shows which is the current one: ${named(one)}`);
    }
  }
  const [first, second] = [all("main .button-primary")[0], all("main .button-secondary")[0]];
  if (first && second && about(first).backgroundColor === about(second).backgroundColor) out.push(`which button is the main one: ${named(first)}`);
  return [...new Set(out)];
})()
