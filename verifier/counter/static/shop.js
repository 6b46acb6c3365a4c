// Where the browser itself finds wallets (Digital Credentials API, openid4vp-v1-signed), the page offers that too. Whatever
// goes wrong there, the links beside it stay as they are: nothing is said, and nothing is lost.

const form = document.querySelector("form[data-digital]");

if (form && "DigitalCredential" in window && navigator.credentials?.get) {
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const goOn = await ask();
      if (goOn) location.assign(goOn);
    } catch {
      form.hidden = true;
    }
  });
}

async function ask() {
  const begun = await fetch(form.dataset.digital, { method: "POST", body: new FormData(form) });
  if (!begun.ok) throw new Error("not begun");
  const { requests } = await begun.json();
  const found = await navigator.credentials.get({ mediation: "required", digital: { requests } });
  const answer = await fetch(`${form.dataset.digital}/answer`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ data: found.data }),
  });
  if (!answer.ok) throw new Error("not taken");
  return (await answer.json()).go;
}
