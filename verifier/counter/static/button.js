// The button for other people's pages: <comity-prove><a href="/your-start">…</a></comity-prove>.
// It dresses the link and changes nothing else: without scripts the plain link does the same. The link leads to your own
// server, which starts the request (flow same_device) and sends the browser on; no token ever comes into a page.

const SHEET = `
  :host { display: inline-block; max-width: 100%; }
  .frame { display: inline-flex; align-items: center; gap: 0.6rem; min-height: 3rem; padding: 0 1.1rem 0 0.8rem;
    border-radius: 0.65rem; background: #0a5760; color: #fff; font: 650 1rem/1.25 system-ui, sans-serif; }
  .frame:focus-within { outline: 3px solid #1746c7; outline-offset: 3px; }
  .frame:hover { background: #063d45; }
  svg { width: 2rem; flex: none; }
  ::slotted(a) { color: inherit !important; text-decoration: none !important; padding: 0.8rem 0; outline: 0; }
  @media (forced-colors: active) { .frame { border: 2px solid LinkText; } svg g * { stroke: LinkText; } }
`;
const MARK = `<svg viewBox="0 0 40 28" aria-hidden="true"><g fill="none" stroke-width="4"><circle cx="14" cy="14" r="11"
  stroke="#fff"/><path d="M26 3a11 11 0 1 1-9.5 5.5" stroke="#f0a552" stroke-linecap="round"/></g></svg>`;

customElements.define("comity-prove", class extends HTMLElement {
  connectedCallback() {
    if (this.shadowRoot) return;
    const root = this.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(SHEET);
    root.adoptedStyleSheets = [sheet];
    root.innerHTML = `<span class="frame">${MARK}<slot></slot></span>`;
  }
});
