"""Prose of the README, documentation, configurations, firmware, pictures, messages, comments and docstrings: phrases
that must not come back.

Each pattern has no legitimate use in these texts, and a plain term of the field that replaces it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_docs import files

ROOT = Path(__file__).parents[1]
PACKAGES = ("hw", "sim", "sw", "src")
NOT_READ = {"tests/test_prose.py"}

COUNTED = (
    r"(?:once|twice|bits|bytes|words|cycles|steps|seconds|images|pulses|spikes|reads|windows|operations|conversions"
    r"|events|numbers|sentences|ADCs|joules|[fpnµ]J|\d+\.\d+(?:e-?\d+)?)"
)
COUNTED_SINGLY = (
    r"(?:an?|one|two|three) (?:\w+ )?(?:bit|byte|word|cycle|step|image|pulse|spike|vector|group|score|verdict|sum|code"
    r"|row|column|line|file|port|register|number|neuron|class|text|sentence)"
)
UNITS = (
    r"(?:bit|byte|word|cycle|period|phase|step|image|round|frame|transfer|operation|conversion|pulse|spike|vector|group"
    r"|score|row|column|cell|tile|layer|neuron|lane|channel|position|window|pixel|class|register|bank|port|field|level"
    r"|module|block|segment|process|thread|problem|mistake|start|octave|inch|second|minute|joule|programming)"
)
NEXT = r"(?:$|[.,;:)\]\"'|]| (?:and|or|also|in|at|from|with|for|on|to|until|while)\b)"  # but no verb: "bits a row has"
PER = rf"\b(?:{COUNTED}|{COUNTED_SINGLY}) an? {UNITS}(?={NEXT})"
PATTERNS = {
    PER: "per",
    r"\bheld to the\b": "compared with, checked against",
    r"\bholds? (?:it|them|everything|every \w+) to\b": "compares with, checks against",
    r"\bdo(?:es)? not obey\b": "device non-idealities, imperfect devices",
    r"\bworks? (?:a|an|the) (?:\w+ )?(?:paper|experiment)\S* again\b": "reproduces",
    r"\bas if nothing had been\b": "recovers",
    r"\bsaid besides\b": "also prints",
    r"\bby another door\b": "are imported from",
    r"\bof one's own\b": "your own, custom",
    r"\b(?:image|images|unit|programmer) (?:is|are|was|were) in work\b": "is being processed, is busy",
    r"\ba file that is none\b": "is not a valid file",
    r"\bwould do nothing\b": "would have no effect",
    r"\bgoes on where it was\b": "resumes",
    r"\bbroken on purpose\b": "mutant, deliberately faulty",
    r"\bmake up for stuck\b|\bstuck cells made up for\b": "compensate",
    r"\b(?:is|are) warned of\b": "causes a warning",
    r"\bwithout a word\b": "silently",
    r"\bnumbers beside ours\b": "numbers next to ours",
    r"\bcells (?:that are )?held(?: still)?\b": "frozen conductances",
    r"\bcomes? in by\b": "is imported",
}


NOT_IN_CODE = {r"\bwithout a word\b"}  # where words are bits
IN_CODE = {pattern: instead for pattern, instead in PATTERNS.items() if pattern not in NOT_IN_CODE}


def phrases(text: str, patterns: dict[str, str] = PATTERNS) -> list[str]:
    """The patterns that occur in a text, each as what was found and what to write instead."""
    text = " ".join(text.split())
    found = []
    for pattern, instead in patterns.items():
        for match in re.finditer(pattern, text, re.IGNORECASE):
            around = text[max(0, match.start() - 30) : match.end() + 30]
            found.append(f"'{match[0]}' in '{around}': write {instead}")
    return found


MARKS = {
    (".toml",): r"^\s*#|(?<=\s)#(?=\s)",  # of comments, on lines of their own or after a value
    (".c", ".h", ".v", ".sv"): r"^\s*(?:/\*|\*/?|//)|\*/",
    (".svg", ".j2"): r"</?[A-Za-z][^<>]*>",  # tags, with the lines that they break
}


def prose(path: Path) -> str:
    """Text of a file without the marks that stand between its words."""
    text = path.read_text(encoding="utf-8")
    for suffixes, mark in MARKS.items():
        if path.suffix in suffixes:
            text = re.sub(mark, " ", text, flags=re.MULTILINE)
    return text


def messages(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of every string of a module that a user may read: all of five words or more but docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            skipped |= {id(part) for part in ast.walk(node) if part is not node}
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.JoinedStr):
            text = "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)  # type: ignore[misc]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        else:
            continue
        if len(text.split()) >= 5:
            yield node.lineno, text


SAID = re.compile(r'"""[\s\S]*?"""|(?:^[ \t]*#.*\n)+|\s#\s.*', re.MULTILINE)


def comments(path: Path) -> str:
    """Comments and docstrings of a Python file, one sentence each; other texts in three quotes as well."""
    pieces = SAID.findall(path.read_text(encoding="utf-8"))
    return ". ".join(re.sub(r'^\s*#:?|"""', " ", piece, flags=re.MULTILINE).strip() for piece in pieces)


def read(suffixes: tuple[str, ...], packages: tuple[str, ...] = ()) -> list[Path]:
    names = [(path, path.relative_to(ROOT)) for path in files() if path.suffix in suffixes]
    return [
        path for path, name in names if name.as_posix() not in NOT_READ and name.parts[0] in (packages or name.parts)
    ]


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("It takes 164 clock cycles\nan image.", "per"),
        ("One word\na cycle; registers", "per"),
        ("Called once\na process, when", "per"),
        ("2.8e-4\na second", "per"),
        ("every spike is held to the reference", "compared with"),
        ("a chip that does not obey", "non-idealities"),
        ("while an image is in work", "processed"),
        ("'x' would do nothing here", "no effect"),
        ("a model of one's own", "your own"),
    ],
)
def test_a_phrase_is_found_across_lines(text: str, instead: str) -> None:
    (found,) = phrases(text)
    assert instead in found


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.toml", "# It takes 164 clock cycles\n# an image.\n"),
        ("a.h", "/* It takes 164 clock cycles\n * an image. */\n"),
        ("a.v", "// It takes 164 clock cycles\n// an image.\n"),
        ("a.sv", "// It takes 164 clock cycles\n// an image.\n"),
        ("a.toml", "x = 1  # clock cycles an image\n"),
        ("a.c", "// It takes 164 clock cycles\n// an image.\n"),
        ("a.svg", '<text>164 clock cycles</text>\n<text x="2">an image</text>'),
        ("a.j2", "<th>clock cycles<br>an image</th>"),
        ("a.md", "It takes 164 clock cycles\nan image."),
    ],
)
def test_a_phrase_is_found_between_marks(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert len(phrases(prose(tmp_path / name))) == 1


@pytest.mark.parametrize(
    "text",
    [
        '"""It takes 164 clock cycles\n    an image."""\n',
        '"""It takes\n\n    cycles : clock cycles an image\n    """\n',
        "    # It takes 164 clock cycles\n    # an image.\n",
        "x = 1  # clock cycles an image\n",
        "x = 1\n#: Clock cycles an image\ny = 2\n",
    ],
)
def test_a_phrase_is_found_in_comments_and_docstrings(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.py").write_text(text)
    assert len(phrases(comments(tmp_path / "a.py"), IN_CODE)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "clock cycles per image",
        "how many images a chip can classify",
        "a withheld toggle",
        "images in work/",
        "as images a step of 8",
        "clock cycles a read pulse drives the rows",
        "all the bits a row has",
        "a group, a word or one row",
    ],
)
def test_plain_sentences_pass(text: str) -> None:
    assert phrases(text) == []


def test_pages_use_the_terms_of_the_field() -> None:
    suffixes = (".md", ".j2", ".toml", ".c", ".h", ".svg", ".v", ".sv")
    pages = read(suffixes)
    assert {page.suffix for page in pages} == set(suffixes) and len(pages) > 80
    found = [f"{page.relative_to(ROOT)}: {fault}" for page in pages for fault in phrases(prose(page))]
    assert not found, "\n".join(found)


def test_messages_use_the_terms_of_the_field() -> None:
    texts = [(path, line, text) for path in read((".py",), PACKAGES) for line, text in messages(path)]
    assert len(texts) > 1000
    found = [f"{path.relative_to(ROOT)}:{line}: {fault}" for path, line, text in texts for fault in phrases(text)]
    assert not found, "\n".join(found)


def test_comments_and_docstrings_use_the_terms_of_the_field() -> None:
    texts = {path.relative_to(ROOT): comments(path) for path in read((".py",))}
    assert len(texts) > 700 and sum(map(len, texts.values())) > 500_000
    found = [f"{name}: {fault}" for name, text in texts.items() for fault in phrases(text, IN_CODE)]
    assert not found, "\n".join(found)
