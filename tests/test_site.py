"""The documentation as a site: pages, navigation and links hold, without building it; and as built, where it can be."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from docs.site.built import faults as site_faults
from docs.site.links import anchors, faults, rewritten, targets
from docs.site.pages import ROOT, navigation, pages, pictures
from docs.site.sources import source_page
from tests.test_docs import files

TOOLS = ROOT / ".venv/docs"

GOOD = """\
# A page

Its [own heading](#two-words), [another page](b/other.md#its-heading), ![a picture](pictures/p.svg), [code](code.py),
`[no](link.md)`, [elsewhere](https://example.org/nothing).

## Two words

```text
[not](read.md)
```
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "b").mkdir()
    (tmp_path / "pictures").mkdir()
    (tmp_path / "page.md").write_text(GOOD)
    (tmp_path / "b/other.md").write_text("# Other\n\n## Its heading\n\n[back](../page.md)\n\n## Twice\n\n## Twice\n")
    (tmp_path / "pictures/p.svg").write_text("<svg/>")
    (tmp_path / "code.py").write_text('"""What it does."""\n')
    return tmp_path


def test_a_page_whose_links_hold_has_no_faults(tree: Path) -> None:
    assert faults(tree / "page.md", tree) == [] == faults(tree / "b/other.md", tree)


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("b/other.md#", "b/others.md#", "links to b/others.md#its-heading, which the repository does not have"),
        ("#its-heading", "#its-headings", "links to b/other.md#its-headings, which has no such heading"),
        ("#its-heading", "#twice", "links to b/other.md#twice, which has 2 headings of that title"),
        ("(#two-words)", "(#three-words)", "links to #three-words, which has no such heading"),
        ("pictures/p.svg", "pictures/q.svg", "links to pictures/q.svg, which the repository does not have"),
        ("code.py", "code.py#L1", "links to code.py#L1, but only pages have headings"),
        ("code.py", "../code.py", "links to ../code.py, which is no path within the repository"),
        ("code.py", "/code.py", "links to /code.py, which is no path within the repository"),
        ("(code.py)", '(code.py "a title")', "has a link with a title, or with a space in it"),
        ("# A page", "# A page\n\n[name]: page.md", "has a reference that no test follows: [name]: page.md"),
        ("# A page", '# A page\n\n<img src="p.svg">', "has HTML that no test follows"),
    ],
)
def test_mutants_are_reported(tree: Path, right: str, wrong: str, said: str) -> None:
    assert GOOD.count(right) == 1
    (tree / "page.md").write_text(GOOD.replace(right, wrong))
    (fault,) = faults(tree / "page.md", tree)
    assert fault.startswith("page.md ") and said in fault


def test_a_file_that_git_does_not_know_is_not_in_the_repository(tree: Path) -> None:
    (fault,) = faults(tree / "page.md", tree, lambda path: path.name != "code.py")
    assert fault == "page.md links to code.py, which the repository does not have"


def test_links_are_rewritten_outside_of_code() -> None:
    assert rewritten(GOOD, lambda target: target) == GOOD
    changed = rewritten(GOOD, lambda target: target.replace("code.py", "code.py.md"))
    assert changed == GOOD.replace("(code.py)", "(code.py.md)")
    assert targets(changed).count("code.py.md") == 1 and "read.md" not in targets(changed)
    assert anchors(GOOD) == ["a-page", "two-words"]


# Pages and navigation


def test_the_site_has_every_page_and_picture_of_the_repository() -> None:
    known = {path.relative_to(ROOT).as_posix() for path in files()}
    assert set(pages()) == {name for name in known if name.endswith(".md")} - {"build/README.md"}
    assert set(pictures()) == {name for name in known if name.endswith(".svg")}


def test_the_navigation_has_every_page_once() -> None:
    found = re.findall(r'"([^"]+\.md)"', json.dumps(navigation()))
    assert sorted(found) == sorted(pages())
    titles = [next(iter(group)) for group in navigation()]
    headings = re.findall(r"^## (.+)$", (ROOT / "docs/README.md").read_text(), re.M)
    assert titles == ["SpikeLoom", "all pages", *headings, "The project"]


def test_a_page_that_no_index_has_is_an_error(tmp_path: Path) -> None:
    for name in pages():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    assert navigation(tmp_path) == navigation()
    (tmp_path / "docs/forgotten.md").write_text("# Forgotten\n")
    with pytest.raises(ValueError, match=r"^No group of the navigation has docs/forgotten\.md: add a row"):
        navigation(tmp_path)


def test_code_that_is_linked_becomes_a_page(tree: Path) -> None:
    file, folder = source_page(tree / "code.py", "code.py"), source_page(tree, "all")
    assert '````python\n"""What it does."""\n\n````' in file and "exclude: true" in file
    assert "# `all`" in folder and "| `code.py` | What it does. |" in folder


# The built site


PAGE = '<html><head><script src="s.js"></script></head><body><h1 id="top"></h1><a href="{link}"></a></body></html>'


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ("other.html", None),
        ("other.html#top", None),
        ("#top", None),
        ("folder/", None),
        ("https://example.org", None),
        ("others.html", "leads nowhere"),
        ("../outside.html", "leads nowhere"),
        ("other.html#bottom", "has an anchor that is not there"),
        ("#bottom", "has an anchor that is not there"),
        ('"><img src="https://example.org/p.png', "is loaded from elsewhere"),
        ('"><script src="//example.org/s.js', "is loaded from elsewhere"),
        ('"><link href="https://example.org/s.css', "is loaded from elsewhere"),
    ],
)
def test_faults_of_a_built_site_are_told(tmp_path: Path, link: str, said: str | None) -> None:
    site = tmp_path / "site"
    (site / "folder").mkdir(parents=True)
    (site / "s.js").touch()
    (tmp_path / "outside.html").touch()
    for name in ("other.html", "folder/index.html"):
        (site / name).write_text('<h1 id="top">')
    (site / "index.html").write_text(PAGE.format(link=link))
    found = site_faults(site)
    assert (found == []) if said is None else (len(found) == 1 and found[0].endswith(said)), found


def test_a_folder_without_pages_is_no_site(tmp_path: Path) -> None:
    assert site_faults(tmp_path) == [f"{tmp_path.name} has no pages"]


def test_scripts_are_pinned_by_checksum() -> None:
    wanted = json.loads((ROOT / "docs/site/package.json").read_text())["dependencies"]
    locked = json.loads((ROOT / "docs/site/package-lock.json").read_text())["packages"]
    found = {name.removeprefix("node_modules/"): entry for name, entry in locked.items() if name}
    assert {name: entry["version"] for name, entry in found.items()} == wanted
    assert all(entry["integrity"].startswith("sha512-") for entry in found.values())


@pytest.mark.skipif(not (TOOLS / ".ready").exists(), reason="the site's tools are not there: make docs")
def test_the_site_is_built_and_holds(tmp_path: Path) -> None:
    site = tmp_path / "site"
    command = [TOOLS / "bin/python", "-m", "mkdocs", "build", "--strict", "-f", "docs/site/mkdocs.yml", "-d", site]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert site_faults(site) == []
    manual = (site / "docs/hardware/npu.html").read_text()
    assert 'class="mermaid"' in manual and 'src="../../site/mermaid.js"' in manual
    assert manual.count("data:image/svg+xml;base64,") == (ROOT / "docs/hardware/npu.md").read_text().count(
        "```wavedrom"
    )
    assert "CONFIG|FILE.loom" in (site / "docs/command-line.html").read_text()  # in a table, where bars are escaped
    assert "site/mermaid.js" not in (site / "docs/energy.html").read_text()
    assert "terminator" in (site / "search/search_index.json").read_text()
