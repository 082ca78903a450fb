"""A cluster that another major version of PostgreSQL made: what can be done with it, and `tidings database upgrade`.

upgrade/             the new cluster while it is made, and pg_upgrade's own files
cluster.upgraded     complete; whoever starts next gives it its name
cluster-16           the old cluster, left as it was
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from tidings.kernel.drop_root import reachable, run
from tidings.kernel.prepare_cluster import (
    MAJOR,
    NAME,
    WRITTEN_BY,
    EmbeddedPostgresError,
    Place,
    act,
    find_programs,
    include_settings,
    initialise,
    older_install,
    socket_folder,
    sync,
)


@dataclass(frozen=True, slots=True)
class Upgraded:
    """`old` is the folder of the cluster as it was."""

    before: str
    old: Path


def refuse_other_major(place: Place) -> None:
    """With a way out that works: the wheel brings the programs of one or two major versions, not of all."""
    version = _made_by(place)
    if version == str(MAJOR):
        return
    last = _last_used_with(place)
    if version.isdigit() and int(version) > MAJOR:
        advice = f"Run the Tidings it was last used with, {last}, or a newer one."
    elif older_install(version):
        advice = "Run: tidings database upgrade"
    else:
        advice = (
            f"With the Tidings it was last used with, {last}, run: tidings database dump tidings.dump\n"
            f"         Then move {place.cluster} away, and with this Tidings run: tidings database restore tidings.dump"
        )
    raise EmbeddedPostgresError(
        f"{place.cluster} was made by PostgreSQL {version}; this is PostgreSQL {MAJOR}.", advice
    )


def upgrade_cluster(place: Place) -> Upgraded | None:
    """The same databases as a cluster of this version, by copying; no server may run. None: there is nothing to do.

    A crash at any moment leaves the old cluster usable, or the new one complete.
    """
    finish_upgrade(place)
    if not place.cluster.exists() or (version := _made_by(place)) == str(MAJOR):
        return None
    install, old = older_install(version), place.folder / f"cluster-{version}"
    if install is None:
        refuse_other_major(place)
    if old.exists():
        raise EmbeddedPostgresError(f"{old} is there already.", "Move it away: the cluster of now goes there.")
    for left in ("upgrade", "cluster.upgraded"):
        shutil.rmtree(place.folder / left, ignore_errors=True)
    work = place.make("upgrade")
    new = _copied(place, install, work)
    include_settings(new)
    new.rename(place.folder / "cluster.upgraded")
    place.cluster.rename(old)
    finish_upgrade(place)
    shutil.rmtree(work, ignore_errors=True)
    return Upgraded(version, old)


def finish_upgrade(place: Place) -> None:
    """The last step of an upgrade, which a crash may have left to us."""
    complete = place.folder / "cluster.upgraded"
    if complete.exists() and not place.cluster.exists():
        complete.rename(place.cluster)
        sync(place.folder)


def _copied(place: Place, install: Path | None, work: Path) -> Path:
    new, found = work / "cluster", reachable(install, place.account, work) if install else None
    if found is None:
        raise EmbeddedPostgresError(
            f"The programs of the older PostgreSQL cannot be run from {work}.",
            "Keep the data folder where programs may be run (no noexec mount), or run Tidings as an ordinary user.",
        )
    programs, old_programs = find_programs(place), found / "bin"
    # pg_upgrade refuses a cluster that crashed; in single-user mode it recovers, and ends where its input does.
    act(place, old_programs / "postgres", "--single", "-D", place.cluster, "template1")
    checksums = ["--data-checksums" if _has_checksums(place, old_programs) else "--no-data-checksums"]
    initialise(place, programs, new, *checksums)
    both = ("-b", old_programs, "-B", programs, "-d", place.cluster, "-D", new)
    # Killed, it leaves a server running, which must not hold `start.lock`: then whoever comes next is told of it.
    where = ("-U", NAME, "--socketdir", socket_folder(place))
    act(place, programs / "pg_upgrade", *both, *where, cwd=work, locked=False)
    return new


def _has_checksums(place: Place, old_programs: Path) -> bool:
    """pg_upgrade wants both clusters alike; initdb makes them with checksums only since PostgreSQL 18."""
    said = run([old_programs / "pg_controldata", place.cluster], place.account, cwd=place.folder).stdout
    return "checksum version: 0" not in " ".join(said.split())


def _made_by(place: Place) -> str:
    return (place.cluster / "PG_VERSION").read_text().strip()


def _last_used_with(place: Place) -> str:
    """The version of Tidings, which it leaves in the settings at every start."""
    try:
        first, _, _ = (place.folder / "tidings.conf").read_text(errors="replace").partition("\n")
    except OSError:
        first = ""
    return first.removeprefix(WRITTEN_BY).partition(" ")[0] if first.startswith(WRITTEN_BY) else "an older one"
