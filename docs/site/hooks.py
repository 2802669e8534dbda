"""What MkDocs is told beyond mkdocs.yml: where pages are, timing diagrams as pictures, Mermaid's script.

Runs in the environment of `make docs`, from the repository's root.
"""

from __future__ import annotations

import base64
import json
import os
import posixpath
import re
from typing import Any

import wavedrom
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from mkdocs.utils import get_relative_url
from pymdownx.superfences import fence_code_format

from docs.site.links import rewritten, slug, targets
from docs.site.pages import ROOT, navigation, pages, pictures
from docs.site.sources import source_page

__all__ = ["on_config", "on_files", "on_page_content", "on_page_markdown", "on_post_page"]

SCRIPTS = ROOT / ".venv/docs/node_modules"
_MERMAID = "site/mermaid.js"
_CODE = re.compile(r"<code>[^<]*</code>(?=(?:(?!</?t[dh]\b).)*</t[dh]>)", re.S)
_CARRIED = {
    _MERMAID: SCRIPTS / "@mermaid-js/tiny/dist/mermaid.tiny.js",
    "site/iframe-worker.js": SCRIPTS / "iframe-worker/shim/index.js",
    "site/site.css": ROOT / "docs/site/site.css",
}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    config.nav = navigation()
    config.theme.static_templates.discard("404.html")  # a server's page, whose links are not right in files
    config.mdx_configs["toc"] = {"slugify": slug, "permalink": True}
    config.mdx_configs["pymdownx.superfences"] = {
        "custom_fences": [
            {"name": "mermaid", "class": "mermaid", "format": fence_code_format},
            {"name": "wavedrom", "class": "wavedrom", "format": timing_diagram},
        ]
    }
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Pages and pictures where the repository has them, pages of linked code, and scripts; no more of docs/."""
    names = [*pages(), *pictures()]
    kept = [File(name, str(ROOT), config.site_dir, config.use_directory_urls) for name in names]
    for name in sorted({source for page in pages() for source in _sources(page).values()}):
        text = source_page(ROOT / name, name)
        kept.append(File.generated(config, f"{name}.md", content=text))
    for name, path in _CARRIED.items():
        kept.append(File.generated(config, name, abs_src_path=str(path)))
    theme = [file for file in files if file.src_dir != config.docs_dir]
    return Files([*kept, *theme])


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links to code lead to its page."""
    sources = _sources(page.file.src_uri) if page.file.src_uri in pages() else {}
    return rewritten(markdown, lambda target: f"{target.rstrip('/')}.md" if target in sources else target)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """A bar in the code of a table's cell is escaped in Markdown, and Python-Markdown leaves the escapes."""
    return _CODE.sub(lambda code: code[0].replace("\\|", "|"), html)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Mermaid is large: only pages with a diagram load it. The theme takes one that is there, and fetches none."""
    if 'class="mermaid"' not in output:
        return output
    script = f'<script src="{get_relative_url(_MERMAID, page.url)}"></script>'
    return output.replace("</head>", f"{script}</head>", 1)


def timing_diagram(source: str, language: str, css_class: str, options: Any, md: Any, **others: Any) -> str:
    """A WaveJSON block as a picture of its own: the styles of one drawing do not reach another."""
    drawing = wavedrom.render(source).tostring()
    coded = base64.b64encode(drawing.encode()).decode()
    signals = [signal["name"] for signal in json.loads(source).get("signal", []) if signal]
    said = f"Timing diagram: {', '.join(signals)}" if signals else "Fields of a word"
    return f'<div class="{css_class}"><img alt="{said}" src="data:image/svg+xml;base64,{coded}"></div>'


def _sources(page: str) -> dict[str, str]:
    """Links of a page that lead to code: as written, and from the repository's root."""
    known = {*pages(), *pictures()}
    found = {}
    for target in targets((ROOT / page).read_text(encoding="utf-8")):
        name = posixpath.normpath(posixpath.join(posixpath.dirname(page), target.partition("#")[0]))
        if "://" not in target and not target.startswith("#") and name not in known and os.path.exists(ROOT / name):
            found[target] = name
    return found
