"""Put what the console is made with beside its pages: style and scripts as npm's lock file has them, the icons it uses
as one sprite, each compressed once, and the translations in the form that is read at run time.

`make assets` runs `npm ci` first. What this makes is not kept in git; a wheel carries it.
"""

import re
import shutil
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from whitenoise.compress import Compressor

HERE = Path(__file__).parent
CONSOLE = HERE.parent / "src" / "tidings" / "console"
VENDOR = CONSOLE / "static" / "vendor"
FILES = {
    "tabler.css": "@tabler/core/dist/css/tabler.min.css",
    "htmx.js": "htmx.org/dist/htmx.min.js",
}
_SOURCE_MAP = re.compile(rb"\n?/[/*]# sourceMappingURL=.*?(?:\*/)?\s*$")


def main() -> None:
    shutil.rmtree(VENDOR, ignore_errors=True)
    VENDOR.mkdir(parents=True)
    for name, path in FILES.items():
        # Nobody is to be asked for a map that is not there.
        content = (HERE / "node_modules" / path).read_bytes()
        (VENDOR / name).write_bytes(_SOURCE_MAP.sub(b"", content))
    (VENDOR / "icons.svg").write_text(sprite((HERE / "icons.txt").read_text().split()))
    compressor = Compressor(quiet=True, use_brotli=False)
    for path in (*VENDOR.iterdir(), *(CONSOLE / "static" / "console").glob("*.*")):
        if path.suffix != ".gz":
            list(compressor.compress(str(path)))
    for po in CONSOLE.glob("locale/*/LC_MESSAGES/*.po"):
        compile_translation(po)


def sprite(names: list[str]) -> str:
    """One file with every icon, each a symbol of its name."""
    symbols = "".join(symbol(name) for name in names)
    return f'<svg xmlns="http://www.w3.org/2000/svg">{symbols}</svg>\n'


def symbol(name: str) -> str:
    text = (HERE / "node_modules" / "@tabler" / "icons" / "icons" / "outline" / f"{name}.svg").read_text()
    shapes = text[text.index(">", text.index("<svg")) + 1 : text.rindex("</svg>")]
    shapes = re.sub(r'\s*<path stroke="none" d="M0 0h24v24H0z" fill="none"\s*/>', "", shapes)
    return f'<symbol id="{name}" viewBox="0 0 24 24">{_on_one_line(shapes)}</symbol>'


def _on_one_line(text: str) -> str:
    return re.sub(r"\s*\n\s*", "", text)


def compile_translation(po: Path) -> None:
    with po.open("rb") as source, po.with_suffix(".mo").open("wb") as compiled:
        write_mo(compiled, read_po(source, abort_invalid=True))


if __name__ == "__main__":
    main()
