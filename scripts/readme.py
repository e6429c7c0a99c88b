"""Run what README shows: every console session and every Python example.

`scripts/readme.py` compares what is printed with what README says (`...` stands for anything);
`scripts/readme.py --write` puts what is printed in its place.
"""

import doctest
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
README: Final = ROOT / "README.md"

_BLOCK: Final = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_STEP: Final = re.compile(r"^\$ (.*(?:\n> .*)*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
_EXAMPLE: Final = re.compile(r"^```pycon\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MARK: Final = "--- end of step"


def main() -> int:
    """Check README, or write it anew. Returns how many steps differ."""
    text = README.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "tests" / "data", Path(folder, "tests", "data"))
        blocks = [match[1] for match in _BLOCK.finditer(text)]
        printed = run_sessions(blocks, Path(folder))
    if "--write" in sys.argv:
        replaced = map(_merged, blocks, printed)
        README.write_text(_BLOCK.sub(lambda _: f"```console\n{next(replaced)}```", text), encoding="utf-8")
        return 0
    wrong = [pair for pair in zip(blocks, printed, strict=True) if not _same(*pair)]
    for expected, got in wrong:
        print(f"README says:\n{expected}\nit prints:\n{got}", file=sys.stderr)
    failed, count = run_examples(text)
    print(f"{len(blocks)} sessions, {len(wrong)} differ; {count} examples, {failed} differ")
    return len(wrong) + failed


def run_sessions(blocks: list[str], folder: Path) -> list[str]:
    """Run all the sessions in one shell, in a folder. Returns each with what was really printed."""
    steps = [step[1] for block in blocks for step in _STEP.finditer(block)]
    commands = [re.sub(r"^> ", "", step, flags=re.MULTILINE) for step in steps]
    script = "".join(f"{command}\necho '{_MARK}'\n" for command in commands)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": str(folder), "TZ": "UTC", "LANG": "C.UTF-8"}
    shell = shutil.which("bash") or "bash"
    done = subprocess.run(
        [shell, "-c", script],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=120,
    )
    outputs = iter(done.stdout.split(f"{_MARK}\n"))
    return [_STEP.sub(lambda step: f"$ {step[1]}\n{next(outputs)}", block) for block in blocks]


def run_examples(text: str) -> tuple[int, int]:
    """Run the Python examples in a folder of their own. Returns how many failed, and of how many."""
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            for match in _EXAMPLE.finditer(text):
                runner.run(doctest.DocTestParser().get_doctest(match[1], {}, "README", "README.md", 0))
        finally:
            os.chdir(before)
    results = runner.summarize(verbose=False)
    return results.failed, results.attempted


def _merged(old: str, new: str) -> str:
    """Return what is printed now, but for the lines in which `...` already stands for it."""
    kept = [line for line in old.splitlines(keepends=True) if "..." in line]
    lines = new.splitlines(keepends=True)
    return "".join(next((old for old in kept if _same(old, line)), line) for line in lines)


def _same(expected: str, got: str) -> bool:
    return doctest.OutputChecker().check_output(expected, got, doctest.ELLIPSIS)


if __name__ == "__main__":
    sys.exit(main())
