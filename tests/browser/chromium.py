"""A real Chromium by whichever way works: present, Playwright's own download, or the system's packages."""

import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageFilter
from playwright.async_api import Playwright

# The one without windows first: it does the same for two thirds of the processor's time.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--force-color-profile=srgb",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)
EMPTY_FRAMES = 6
_INSTALL_SECONDS = 240


class NoChromium(Exception):
    """There is none and none can be had; the text says what was tried."""


def find(playwright: Playwright) -> Path:
    """Return the path of a Chromium, installing one where there is none.

    Raises:
        NoChromium: none of the ways worked.
    """
    own = Path(playwright.chromium.executable_path)
    ways: tuple[tuple[str, Callable[[], Path | None]], ...] = (
        ("present on this machine", _present),
        ("Playwright's own", lambda: own if own.is_file() else None),
        ("Playwright's own, downloaded now", lambda: _downloaded(own)),
        ("the system's packages (only as root)", _packaged),
    )
    for _, way in ways:
        found = way()
        if found is not None:
            return found
    raise NoChromium(f"no Chromium for the browser tests; tried: {'; '.join(name for name, _ in ways)}")


def filmed(*codes: bytes, frames: int = 24, pixels: int = 420) -> bytes:
    """Return an ``.mjpeg`` film of QR codes (PNG) held before a camera: tilted, blurred, after a while without any.

    Several take turns, each for as many pictures as the film of one has.
    """
    shown = [Image.open(io.BytesIO(code)).convert("RGB").resize((pixels, pixels)) for code in codes]
    film = []
    for number in range(frames * len(shown)):
        drawn = shown[number // frames]
        scene = Image.new("RGB", (1280, 720), (96, 104, 112))
        if number >= EMPTY_FRAMES:
            tilted = drawn.rotate(-8 + number % 5, expand=True, fillcolor=(96, 104, 112))
            scene.paste(tilted, (400 + 4 * (number % 3), (720 - tilted.height) // 2))
            scene = scene.filter(ImageFilter.GaussianBlur(1.0))
        frame = io.BytesIO()
        scene.save(frame, "JPEG", quality=80)
        film.append(frame.getvalue())
    return b"".join(film)


def _present() -> Path | None:
    return next((Path(found) for name in NAMES if (found := shutil.which(name))), None)


def _downloaded(own: Path) -> Path | None:
    _run(sys.executable, "-m", "playwright", "install", "chromium-headless-shell", "chromium")
    return own if own.is_file() else None


def _packaged() -> Path | None:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return None
    _run("apt-get", "update")
    _run("apt-get", "install", "--yes", "--no-install-recommends", "chromium-headless-shell")
    return _present()


def _run(*command: str) -> None:
    """Run an installer; whether it worked shows in what is there afterwards."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        subprocess.run(command, env=environment, capture_output=True, timeout=_INSTALL_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return
