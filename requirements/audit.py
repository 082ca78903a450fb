"""Ask whether anything that is locked has a known weakness: `make audit`. Not a part of the tests, since the answer
changes while the code does not, and since it needs the internet.

Exit 0: nothing is known. 1: something is, and it is named. 3: some of it could not be asked about.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
KNOWN, NOT_ASKED = 1, 3


def main(pip_audit: str) -> int:
    results = [audit_python(pip_audit), *(audit_npm(folder) for folder in (ROOT / "assets",))]
    return KNOWN if KNOWN in results else max(results)


def audit_python(pip_audit: str) -> int:
    """Every version in requirements/all.txt, which are exact, so nothing is installed or resolved."""
    lock = ROOT / "requirements" / "all.txt"
    answer = _answered(
        [pip_audit, "--requirement", str(lock), "--require-hashes", "--disable-pip", "--format", "json"], ROOT
    )
    if answer is None:
        return _not_asked("pip-audit could not reach https://pypi.org")
    # What its service does not know it passes over, with exit code 0: a mirror of PyPI that has no advisories, say.
    skipped = [each["name"] for each in answer["dependencies"] if "skip_reason" in each]
    weak = [each for each in answer["dependencies"] if each.get("vulns")]
    for each in weak:
        for one in each["vulns"]:
            mended = ", ".join(one["fix_versions"]) or "no version yet"
            print(f"{each['name']} {each['version']}: {one['id']}, mended in {mended}")
    if weak:
        return KNOWN
    if skipped:
        return _not_asked(f"pip-audit was told nothing of {len(skipped)} of {len(answer['dependencies'])} packages")
    print(f"Nothing is known against {len(answer['dependencies'])} Python packages.")
    return 0


def audit_npm(folder: Path) -> int:
    """`npm audit` of the lock file."""
    answer = _answered(["npm", "audit", "--json", "--package-lock-only"], folder)
    if answer is None or "vulnerabilities" not in answer:
        return _not_asked("npm could not ask the advisories of its registry")
    for name, each in answer["vulnerabilities"].items():
        print(f"{name} {each['range']}: {each['severity']}")
    if answer["vulnerabilities"]:
        return KNOWN
    print(f"Nothing is known against {answer['metadata']['dependencies']['total']} npm packages.")
    return 0


def _answered(command: Sequence[str], folder: Path) -> Any:
    """Its JSON; None for none. The exit code says nothing: both tools have one for findings and for failures."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
        return json.loads(done.stdout)
    except (OSError, subprocess.TimeoutExpired, ValueError):
        return None


def _not_asked(why: str) -> int:
    print(f"Not audited: {why}. Run it where the internet can be reached.")
    return NOT_ASKED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
