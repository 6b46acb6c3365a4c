// The counter's pages: a fresh code when the old one is over, a verdict that leaves the screen, a sound, local times.
// Without scripts a button does the first, nothing leaves by itself, and times are in UTC.

const words = document.documentElement.lang;

for (const form of document.querySelectorAll("form[data-renew]")) {
  const part = form.closest("[data-when]");
  const renew = () => { if (!part.hidden) form.requestSubmit(); };
  new MutationObserver(renew).observe(part, { attributes: true, attributeFilter: ["hidden"] });
  renew();
}

for (const button of document.querySelectorAll("[data-clear]")) {
  let left = Number(button.dataset.seconds);
  const label = button.querySelector("span");
  const timer = setInterval(() => {
    left -= 1;
    label.textContent = button.dataset.words.replace("#", String(left));
    if (left <= 0) {
      clearInterval(timer);
      location.assign(button.dataset.clear);
    }
  }, 1000);
  const pause = () => {
    clearInterval(timer);
    label.textContent = button.dataset.paused;
    button.setAttribute("aria-disabled", "true");
  };
  button.hidden = false;
  button.addEventListener("click", pause);
  // Whoever opens the details is reading.
  document.querySelector(".counter-details")?.addEventListener("toggle", pause);
}

for (const time of document.querySelectorAll("time[data-local]")) {
  const style = { dateStyle: "medium", timeStyle: "short" };
  time.textContent = new Intl.DateTimeFormat(words, style).format(new Date(time.dateTime));
}

const TONES = { green: [[880, 0], [1320, 0.13]], amber: [[520, 0], [520, 0.22]], red: [[220, 0], [165, 0.2]] };
const heard = document.querySelector("[data-sound]");
if (heard && window.AudioContext) {
  const audio = new AudioContext();
  for (const [frequency, after] of TONES[heard.dataset.sound] ?? []) {
    const tone = audio.createOscillator();
    const volume = audio.createGain();
    tone.frequency.value = frequency;
    volume.gain.setValueAtTime(0.25, audio.currentTime + after);
    volume.gain.exponentialRampToValueAtTime(0.001, audio.currentTime + after + 0.3);
    tone.connect(volume).connect(audio.destination);
    tone.start(audio.currentTime + after);
    tone.stop(audio.currentTime + after + 0.32);
  }
}
