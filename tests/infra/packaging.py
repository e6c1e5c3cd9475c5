"""The deployment package, built from `.funcignore` as the two tools that deploy build it.

azd reads the file as git reads an ignore file. Core Tools (`func`) reads it in a way of its own: a
line with `!` always wins, wherever it stands, and every line is matched as the beginning of a path.
Both are written here from their sources (Azure/azure-dev: cli/azd/pkg/project/project_utils.go;
Azure/azure-functions-core-tools: src/Azure.Functions.Cli/Common/GitIgnoreParser.cs), so that a test
can see that what is shipped does not depend on the tool.
"""

import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from pathspec import GitIgnoreSpec

# azd packs neither, whatever the file says.
_NEVER_FOLDER, _NEVER_FILE = ".azure", "local.settings.json"

Ignored = Callable[[str, bool], bool]


def as_azd(lines: list[str]) -> Ignored:
    """Return git's reading: the last line that matches decides, and a folder takes all with it."""
    spec = GitIgnoreSpec.from_lines(lines)
    return lambda path, folder: spec.match_file(f"{path}/" if folder else path)


def as_core_tools(lines: list[str]) -> Ignored:
    """Return the reading of `func`, which looks at files only."""
    given = [line.strip() for line in lines]
    given = [line for line in given if line and not line.startswith("#")]
    denied = _any_of([line for line in given if not line.startswith("!")])
    accepted = _any_of([line[1:] for line in given if line.startswith("!")])
    return lambda path, folder: not folder and bool(denied(path)) and not accepted(path)


def _any_of(lines: list[str]) -> Callable[[str], re.Match[str] | None]:
    patterns = []
    for line in lines:
        text = re.sub(r"[-\[\]/{}()+?.\\^$|]", r"\\\g<0>", line.removeprefix("/"))
        patterns.append(text.replace("**", "(.+)").replace("*", "([^/]+)"))
    return re.compile(f"^(({')|('.join(patterns)}))" if patterns else "$^").match


def files(project: Path, ignored: Ignored) -> Iterator[str]:
    """Yield the files of the package, by their path in it."""
    yield from _below(project, "", ignored)


def _below(folder: Path, prefix: str, ignored: Ignored) -> Iterator[str]:
    for entry in sorted(folder.iterdir()):
        path = f"{prefix}{entry.name}"
        if entry.is_dir():
            # What git, node and the environment keep is huge, and looked into for nothing.
            hidden = entry.name.startswith((".", "node_modules")) and not prefix
            if entry.name != _NEVER_FOLDER and not hidden and not ignored(path, True):
                yield from _below(entry, f"{path}/", ignored)
        elif entry.name != _NEVER_FILE and not ignored(path, False):
            yield path


def funcignore(project: Path) -> list[str]:
    """Return the lines of the project's `.funcignore`."""
    return (project / ".funcignore").read_text().splitlines()


def build(project: Path, package: Path) -> None:
    """Write the zip that azd would upload."""
    with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name in files(project, as_azd(funcignore(project))):
            zipped.write(project / name, name)
