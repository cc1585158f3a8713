"""Pictures of every screen in every theme and size, for human eyes: `python contrib/render.py [--out DIR] [WORD...]`.

Each is the app over the shop of `tests/tui/shop.py`, exported as SVG and photographed by one headless Chromium (which alone shows the
font as a terminal does). A word chooses scenes, themes ("supd-cb") and sizes ("80x24") that contain it; without one, all are made.
"""

import argparse
import asyncio
import os
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT)
os.environ["TEXTUAL_ANIMATIONS"] = "none"
os.environ["TZ"] = "UTC"
os.cpu_count = lambda: 16  # the same machine in every picture

from tests.tui.chromium import Page, chromium  # noqa: E402  # found only now
from tests.tui.scenes import SCENES, Scene, play  # noqa: E402
from tests.tui.shop import shop_app  # noqa: E402

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


async def main() -> None:
    parser = argparse.ArgumentParser(prog="python contrib/render.py", description=__doc__)
    parser.add_argument("--out", default="pictures", metavar="DIR")
    parser.add_argument("words", nargs="*", metavar="WORD")
    arguments = parser.parse_args()
    os.makedirs(arguments.out, exist_ok=True)
    async with chromium() as page:
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
