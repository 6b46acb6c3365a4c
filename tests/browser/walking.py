"""What the tests ask a page, in the page's own language."""

FOCUSED = """
(() => {
  const it = document.activeElement;
  if (!it || it === document.body) return "";
  const label = it.labels?.[0]?.innerText ?? "";
  return [it.getAttribute("aria-label") ?? "", label, it.innerText ?? "", it.value ?? ""].join(" ").trim();
})()
"""
"""The words of whatever has the focus."""

FOCUS_SHOWS = """
(() => {
  const it = document.activeElement;
  const about = getComputedStyle(it);
  const around = it.closest(".card") ? getComputedStyle(it.closest(".card")) : about;
  const box = it.getBoundingClientRect();
  const seen = about.outlineStyle !== "none" || around.outlineStyle !== "none";
  return seen && box.width > 0 && box.height > 0;
})()
"""
"""Whether a person sees where the focus is (WCAG 2.4.7)."""

STICKS_OUT = """
(() => {
  const wide = document.documentElement.clientWidth;
  const out = [];
  const whole = document.documentElement.scrollWidth;
  if (whole > wide) out.push(`scrolls sideways: ${whole} of ${wide}`);
  for (const it of document.querySelectorAll("a, button, input, select, textarea, h1, h2, p")) {
    if (it.closest(".table, .only-read, .skip, [hidden]") || it.classList.contains("skip")) continue;
    const box = it.getBoundingClientRect();
    if (box.width && (box.right > wide + 1 || box.left < -1)) out.push(`${it.tagName}: ${it.innerText?.slice(0, 30)}`);
    if (it.matches("button, .button") && it.scrollWidth > it.clientWidth + 1) out.push(`clipped: ${it.innerText}`);
  }
  return out;
})()
"""
"""What lies outside the window, or is cut off in it."""

BROKEN_WORDS = """
[...document.querySelectorAll(".nav a span")].filter((it) => {
  const range = document.createRange();
  range.selectNodeContents(it);
  return range.getClientRects().length > it.innerText.trim().split(/\\s+/).length;
}).map((it) => it.innerText)
"""
"""The words of the navigation that go on in a next line."""

FOCUS_COLOUR = """getComputedStyle(document.activeElement).outlineColor"""
"""The colour of the ring around whatever has the focus."""

PAGE_COLOURS = """
[...document.querySelectorAll("html, body, header, main, form")].map((it) => getComputedStyle(it).backgroundColor)
"""
"""What such a ring stands on."""
