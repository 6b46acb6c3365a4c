// The camera reads a QR code into a field and sends its form: by the browser's own BarcodeDetector where there is one,
// else by frames that go to our own service, which decodes them in memory.

const EVERY_MS = 350;
const EVERY_MS_IN_PARTS = 120;
const WIDEST = 1280;

for (const place of document.querySelectorAll("[data-scan]")) {
  if (!navigator.mediaDevices?.getUserMedia) continue;
  const video = place.querySelector("video");
  const said = place.querySelector("[data-said]");
  const start = place.querySelector("[data-start]");
  const stop = place.querySelector("[data-stop]");
  const torch = place.querySelector("[data-torch]");
  const canvas = document.createElement("canvas");
  let stream;
  place.hidden = false;

  const end = () => {
    stream?.getTracks().forEach((track) => track.stop());
    stream = undefined;
    video.hidden = stop.hidden = torch.hidden = true;
    start.hidden = false;
  };
  stop.addEventListener("click", () => { end(); said.textContent = ""; start.focus(); });

  // A light, where the camera has one (Image Capture §"torch"): an old card in a dim bar is read all the same.
  torch.addEventListener("click", async () => {
    const isOn = torch.getAttribute("aria-pressed") !== "true";
    try {
      await stream.getVideoTracks()[0].applyConstraints({ advanced: [{ torch: isOn }] });
      torch.setAttribute("aria-pressed", String(isOn));
    } catch {
      torch.hidden = true;
    }
  });

  start.addEventListener("click", async () => {
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: WIDEST } } });
    } catch {
      said.textContent = place.dataset.denied;
      return;
    }
    video.srcObject = stream;
    video.hidden = stop.hidden = false;
    start.hidden = true;
    torch.hidden = !stream.getVideoTracks()[0].getCapabilities?.().torch;
    torch.setAttribute("aria-pressed", "false");
    said.textContent = place.dataset.searching;
    await video.play();
    const text = await search(place, video, canvas, () => stream !== undefined);
    if (!text) return;
    end();
    said.textContent = place.dataset.found;
    const field = document.getElementById(place.dataset.into);
    field.value = text;
    const how = field.form.elements.namedItem("scanned");
    if (how) how.value = "yes";
    field.form.requestSubmit();
  });
  addEventListener("pagehide", end);
}

async function search(place, video, canvas, goesOn) {
  const detector = await ownDetector();
  const gathered = { of: "", parts: new Map() };
  while (goesOn()) {
    if (video.videoWidth) {
      const text = detector ? await detected(detector, video) : await decoded(place, video, canvas);
      const whole = place.dataset.parts && text.startsWith("CP1:") ? gather(place, gathered, text) : text;
      if (whole) return whole;
    }
    await new Promise((resume) => setTimeout(resume, gathered.of ? EVERY_MS_IN_PARTS : EVERY_MS));
  }
  return "";
}

// A code in parts (record 0043): returns all of them once none is missing. Our service checks what they come to.
function gather(place, gathered, text) {
  let count = 0;
  for (const part of text.split(" ")) {
    const [, of, number, most] = part.split(":");
    if (of !== gathered.of) Object.assign(gathered, { of, parts: new Map() });
    gathered.parts.set(number, part);
    count = Number(most);
  }
  const said = place.querySelector("[data-said]");
  const words = place.dataset.parts.replace("##", count).replace("#", gathered.parts.size);
  if (said.textContent !== words) said.textContent = words;
  return gathered.parts.size >= count ? [...gathered.parts.values()].join(" ") : "";
}

async function ownDetector() {
  if (!("BarcodeDetector" in window)) return null;
  const formats = await BarcodeDetector.getSupportedFormats();
  return formats.includes("qr_code") ? new BarcodeDetector({ formats: ["qr_code"] }) : null;
}

async function detected(detector, video) {
  const found = await detector.detect(video).catch(() => []);
  return found.length === 1 ? found[0].rawValue : "";
}

async function decoded(place, video, canvas) {
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d").drawImage(video, 0, 0);
  const image = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.85));
  const body = new FormData();
  body.append("form_token", place.dataset.token);
  body.append("image", image, "frame.jpg");
  const answer = await fetch(place.dataset.scan, { method: "POST", body }).catch(() => null);
  return answer?.ok ? (await answer.json()).text : "";
}
