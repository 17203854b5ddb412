"""Shows a report in a real browser and asks it what it sees."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SIDEWAYS = """
    page.document.documentElement.dataset.language = "{language}";
    const root = page.document.documentElement;
    const half = page.document.getElementById("{language}");
    const out = [...half.querySelectorAll("*")]
        .filter((e) => e.getBoundingClientRect().right > root.clientWidth + 1)
        .filter((e) => !e.closest("nav, thead"))
        .map((e) => `${{e.tagName}} ${{e.textContent.trim().slice(0, 30)}}`);
    const cut = [...half.querySelectorAll("p, li, dd, dt, td, th, h1, h2, h3, .tile, .card")]
        .filter((e) => e.offsetParent && e.scrollWidth > e.clientWidth + 1 && e.clientWidth)
        .filter((e) => !e.closest("nav, thead"))
        .map((e) => `${{e.tagName}} ${{e.textContent.trim().slice(0, 30)}}`);
    return [root.scrollWidth, root.clientWidth, half.offsetHeight, out, cut];
"""
"""Finds what runs off the page's side, and what is wider than the element it is in."""
SMALLEST_TEXT = """
    const sizes = [...page.document.querySelectorAll("#en *")]
        .filter((e) => e.getClientRects().length && [...e.childNodes].some(
            (n) => n.nodeType === 3 && n.textContent.trim()))
        .filter((e) => !e.closest("thead, title, desc"))
        .map((e) => { const svg = e.closest("svg");
            const drawn = svg && svg.getBoundingClientRect().width;
            const scale = svg ? drawn / svg.viewBox.baseVal.width : 1;
            return parseFloat(page.getComputedStyle(e).fontSize) * scale; });
    return Math.min(...sizes);
"""
"""Finds the smallest text in pixels, charts with their scaling included."""


def in_browser(tmp_path: Path, text: str, width: int, script: str, *, sandbox: str = "") -> Any:
    """Show the page in a frame of ``width``; return what ``script`` finds, ``page`` the frame."""
    framed = html.escape(text)
    outer = tmp_path / "outer.html"
    outer.write_text(
        f'<iframe width="{width}" height="800" style="border:0" {sandbox} srcdoc="{framed}">'
        "</iframe><p>-</p><script>onload = async () => { const page = frames[0];"
        f"const found = await (async () => {{ {script} }})();"
        "document.querySelector('p').textContent = `found ${JSON.stringify(found)} end` }</script>",
        encoding="utf-8",
    )
    assert CHROMIUM is not None
    shown = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
         "--no-first-run", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--virtual-time-budget=5000",
         f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", outer.as_uri()],
        capture_output=True, text=True, timeout=60, check=True,
    ).stdout  # fmt: skip
    found = re.search(r"<p>found (.*) end</p>", shown)
    assert found, shown[-500:]
    return json.loads(html.unescape(found[1]))
