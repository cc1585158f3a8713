"""Pictures of every screen in every theme and size, for human eyes: `python contrib/render.py [--out DIR] [WORD...]`.

With `--readme` it makes the four pictures and the session of README.md instead, below `contrib/pictures`; that needs Pillow.

Each is the app over the shop of `tests/tui/shop.py`, exported as SVG and photographed by one headless Chromium (which alone shows the
font as a terminal does). A word chooses scenes, themes ("supd-cb") and sizes ("80x24") that contain it; without one, all are made.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from typing import Any

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT)
os.environ["TEXTUAL_ANIMATIONS"] = "none"
os.environ["TZ"] = "UTC"
os.cpu_count = lambda: 16  # the same machine in every picture

from tests.tui.chromium import Page, chromium  # noqa: E402  - the checkout is where these are found
from tests.tui.pilot import press  # noqa: E402  - as above
from tests.tui.scenes import BY_NAME, SCENES, Scene, all_is_there, begin, play, second  # noqa: E402  - as above
from tests.tui.shop import shop_app  # noqa: E402  - as above

README = (("units", "supd-dark"), ("logs-search", "supd-dark"), ("confirm", "supd-cb"), ("runs", "supd-light"))
README_SIZE = (120, 34)
README_WIDTH_PX, SESSION_WIDTH_PX = 1100, 860
README_COLOURS = 128
_OCTREE = 2  # keeps the few strong colours of a dark picture apart
# The session: keys, one step each, and how long the screen then stands.
SESSION: tuple[tuple[str, float], ...] = (
    ("", 2.0), ("j", 0.5), ("j", 0.5), ("j", 1.5), ("d", 2.0), ("right", 1.6), ("1", 0.8), ("/", 0.5), ("a", 0.3), ("p", 0.3), ("i", 1.2),
    ("enter", 0.6), ("escape", 0.6), ("L", 2.0), ("/", 0.5), *[(letter, 0.15) for letter in "cache-"], ("2", 1.2), ("enter", 1.6),
    ("5", 2.0), ("1", 0.8),
)  # fmt: skip
SESSION_SIZE = (100, 26)
LONG_S = 1.5  # a step that stands so long is a second of the screen's own time
SIZES = ((160, 48), (100, 30), (80, 24), (60, 16))
THEMES = ("supd-dark", "supd-light", "supd-cb")


async def svg(scene: Scene, theme: str, size: tuple[int, int]) -> str:
    with tempfile.TemporaryDirectory() as directory:
        app = shop_app(directory, theme=theme, **scene.options)
        async with app.run_test(size=size, notifications=True) as pilot:
            await play(pilot, scene)
            return app.export_screenshot(title="supctl tui")


async def photograph(page: Page, drawing: str, path: str) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".svg", delete=False) as file:
        file.write(drawing)
    try:
        await page.open(f"file://{file.name}")
        width, height = await page.evaluate(
            "new Promise(done => { const look = () => { const box = document.documentElement.viewBox;"
            " box && document.readyState === 'complete' ? document.fonts.ready.then(() => done([box.baseVal.width, box.baseVal.height]))"
            " : setTimeout(look, 5) }; look() })"
        )
        with open(path, "wb") as picture:
            picture.write(await page.picture((round(width), round(height))))
    finally:
        os.unlink(file.name)


async def session(page: Page, directory: str) -> None:
    """The session as an animation that repeats."""
    from PIL import Image

    frames = []
    with tempfile.TemporaryDirectory() as logs:
        app = shop_app(logs)
        async with app.run_test(size=SESSION_SIZE, notifications=True) as pilot:
            await begin(pilot)
            for number, (key, seconds) in enumerate(SESSION):
                await press(pilot, *([key] if key else []))
                if seconds >= LONG_S:
                    await second(pilot)
                await all_is_there(pilot)
                path = os.path.join(logs, f"{number}.png")
                await photograph(page, app.export_screenshot(title="supctl tui"), path)
                frames.append(shrunk(Image.open(path), SESSION_WIDTH_PX))
    lengths = [round(seconds * 1000) for _, seconds in SESSION]
    path = os.path.join(directory, "session.gif")
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=lengths, loop=0, optimize=True)
    print(path)


def shrunk(picture: Any, width_px: int = README_WIDTH_PX) -> Any:
    """A picture of this width, in few colours."""
    small = picture.convert("RGB").resize((width_px, round(picture.height * width_px / picture.width)), resample=3)
    return small.quantize(README_COLOURS, method=_OCTREE)


async def readme(page: Page) -> None:
    from PIL import Image

    directory = os.path.join(ROOT, "contrib", "pictures")
    os.makedirs(directory, exist_ok=True)
    for name, theme in README:
        path = os.path.join(directory, f"{name}.png")
        await photograph(page, await svg(BY_NAME[name], theme, README_SIZE), path)
        shrunk(Image.open(path)).save(path, optimize=True)
        print(path)
    await session(page, directory)


async def main() -> None:
    parser = argparse.ArgumentParser(prog="python contrib/render.py", description=__doc__)
    parser.add_argument("--out", default=os.path.join(tempfile.gettempdir(), "supd-pictures"), metavar="DIR")
    parser.add_argument("--readme", action="store_true", help="make README's pictures instead")
    parser.add_argument("words", nargs="*", metavar="WORD")
    arguments = parser.parse_args()
    async with chromium() as page:
        if arguments.readme:
            await readme(page)
            return
        os.makedirs(arguments.out, exist_ok=True)
        for scene in SCENES:
            for theme in THEMES:
                for size in SIZES:
                    name = f"{scene.name} {theme} {size[0]}x{size[1]}"
                    if all(word in name for word in arguments.words):
                        path = os.path.join(arguments.out, name.replace(" ", "-") + ".png")
                        await photograph(page, await svg(scene, theme, size), path)
                        print(path, flush=True)


if __name__ == "__main__":
    asyncio.run(main())
