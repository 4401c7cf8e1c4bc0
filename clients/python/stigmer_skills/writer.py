"""Skills as files below an agent's root directory, and the section of its prompt."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import io
import os
import secrets
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Union

from .archive import MAX_SIZE, PIECE, Archive, Entry
from .errors import ArchiveError, IntegrityError, StigmerError, WriteError
from .text import MAX_SKILL_MD, check_name, check_skill_md, check_text

__all__ = ["Artifact", "SkillWriter"]

#: An archive: its bytes, or the path of a file.
Artifact = Union[bytes, str, "os.PathLike[str]"]

_BESIDE = ".copy-"  # `stigmer agent mount` clears such names away, too
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_HEX = frozenset("0123456789abcdef")
_HEAD = ("\n\n## Available Skills\n\nThe following skills provide specialized capabilities. "
         "Each skill includes instructions and executable tools.\n")

# path -> (size, SHA-256, mode); a directory's path ends with "/".
_Tree = dict[str, tuple[int, str, int]]


class SkillWriter:
    """Writes skills to `<local_root>/bin/skills/<version_hash>/`.

    Any number of versions of one skill can be there side by side, written by any number of processes at
    once, also by `stigmer agent mount`. A directory gets its name once all of it is there and verified.

    Args:
        local_root: The agent's root directory. It is made when it is not there; below it no symbolic
            link is followed.
        read_only: Files and directories lack every write bit, as `stigmer agent mount --copy` leaves
            them, instead of having modes 0755 and 0644. (`rm -r` then needs `chmod -R u+w` first.)
        agent_root: What the agent sees local_root as: "" where it is the agent's "/" (a sandbox, a
            container), str(local_root) where the agent runs on the host. Locations begin with it.
    """

    SKILLS_BASE_DIR = "/bin/skills"

    def __init__(self, local_root: str | os.PathLike[str], *, read_only: bool = False,
                 agent_root: str = "") -> None:
        self.local_root = os.path.abspath(local_root)
        self.read_only = read_only
        self.skills_base = agent_root.rstrip("/") + self.SKILLS_BASE_DIR

    def write_skills(self, skills: Sequence[Any], artifacts: Mapping[str, Artifact],
                     manifests: Mapping[str, Iterable[Any]] | None = None) -> dict[str, str]:
        """Unpacks each skill's archive, or finds it unpacked and unchanged.

        Args:
            skills: Skill messages.
            artifacts: Version hash, or id of the skill -> its archive. An id means one version only:
                with two versions of one skill use their hashes.
            manifests: Version hash -> SkillFile messages (`SkillClient.list_files`). What is unpacked
                must then be exactly that: the same paths, sizes, SHA-256 and modes.

        Returns:
            Version hash -> the skill's directory as the agent sees it; and the same by the skill's id
            where that is unambiguous.

        Raises:
            IntegrityError: No archive was given, or other bytes than the version hash says.
            ArchiveError: An archive that the profile refuses.
            WriteError: The file system refuses.
            Whatever it is, no part of that skill is left; those before it are there.
        """
        paths: dict[str, str] = {}
        if not skills:
            return paths
        with self._base() as base:
            for skill in skills:
                version = _version_hash(skill)
                _write(base, skill, _artifact(skill, artifacts), self.read_only,
                       None if manifests is None else manifests.get(version, ()))
                paths[version] = f"{self.skills_base}/{version}"
        versions = _versions_by_id(skills)
        paths.update((id_, paths[v.pop()]) for id_, v in versions.items() if len(v) == 1)
        return paths

    @staticmethod
    def generate_prompt_section(skills: Sequence[Any],
                                skill_paths: Mapping[str, str] | None = None) -> str:
        """The section of the system prompt that tells a model its skills; "" without skills.

        Args:
            skills: Skill messages; their texts go in as they are. `write_skills` compares them with the
                verified SKILL.md.
            skill_paths: What `write_skills` answered; without, skills are in /bin/skills.

        Raises:
            ArchiveError, IntegrityError: A text or name that could pass for another skill's section.
        """
        parts = []
        for skill in skills:
            version = _version_hash(skill)
            check_name(skill.metadata.name)
            check_text(skill.spec.skill_md)
            paths = skill_paths or {}
            place = (paths.get(version) or paths.get(skill.metadata.id)
                     or f"{SkillWriter.SKILLS_BASE_DIR}/{version}")
            parts.append(f"\n### SKILL: {skill.metadata.name}\n"
                         f"LOCATION: {place.rstrip('/')}/\n\n{skill.spec.skill_md}\n")
        return _HEAD + "".join(parts) if parts else ""

    @contextlib.contextmanager
    def _base(self) -> Iterator[int]:
        """<local_root>/bin/skills, locked and without what was cut off there."""
        opened: list[int] = []
        try:
            with _as_write_error(self.local_root):
                os.makedirs(self.local_root, exist_ok=True)
                opened.append(os.open(self.local_root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
                for name in ("bin", "skills"):
                    opened.append(_enter(opened[-1], name, 0o755))
                fcntl.flock(opened[-1], fcntl.LOCK_EX)
                for name in os.listdir(opened[-1]):
                    if name.startswith(_BESIDE):
                        _remove(opened[-1], name)
            yield opened[-1]
        finally:
            for fd in reversed(opened):
                os.close(fd)


# --- what a skill says ----------------------------------------------------------------------------


def _version_hash(skill: Any) -> str:
    version: str = skill.status.version_hash
    if len(version) != 64 or not _HEX.issuperset(version):
        raise IntegrityError(f"the skill {skill.metadata.slug!r} has no version hash")
    return version


def _versions_by_id(skills: Sequence[Any]) -> dict[str, set[str]]:
    versions: dict[str, set[str]] = {}
    for skill in skills:
        versions.setdefault(skill.metadata.id, set()).add(skill.status.version_hash)
    return versions


def _artifact(skill: Any, artifacts: Mapping[str, Artifact]) -> Artifact:
    for key in (skill.status.version_hash, skill.metadata.id):
        if key in artifacts:
            return artifacts[key]
    raise IntegrityError(f"no archive was given for the skill {skill.metadata.slug!r} "
                         f"({skill.status.version_hash})")


@contextlib.contextmanager
def _opened(artifact: Artifact) -> Iterator[BinaryIO]:
    if isinstance(artifact, (bytes, bytearray, memoryview)):
        yield io.BytesIO(artifact)
        return
    with _as_write_error(os.fspath(artifact)), open(artifact, "rb") as file:
        yield file


def _check_hash(file: BinaryIO, version: str) -> None:
    digest, size = hashlib.sha256(), 0
    while data := file.read(PIECE):
        digest.update(data)
        size += len(data)
        if size > MAX_SIZE:
            raise ArchiveError("size", f"ZIP file too large (max: {MAX_SIZE})")
    if digest.hexdigest() != version:
        raise IntegrityError(f"the archive is damaged: its bytes hash to {digest.hexdigest()}, "
                             f"not to the version's {version}")


# --- one skill -------------------------------------------------------------------------------------


def _write(base: int, skill: Any, artifact: Artifact, read_only: bool,
           manifest: Iterable[Any] | None) -> None:
    version, beside = _version_hash(skill), _BESIDE + secrets.token_hex(8)
    try:
        with _as_write_error(version), _opened(artifact) as file:
            _check_hash(file, version)
            tree, text = _unpack(base, beside, Archive(file))
            if text != skill.spec.skill_md:
                raise IntegrityError(f"the text that the server gives for {skill.metadata.slug!r} "
                                     "is not the SKILL.md of its archive")
            if manifest is not None:
                _check_manifest(tree, manifest)
            if read_only:
                _drop_write_bits(base, beside)
            _put(base, beside, version, tree, read_only)
    finally:
        with contextlib.suppress(OSError):
            _remove(base, beside)


def _put(base: int, beside: str, version: str, tree: _Tree, read_only: bool) -> None:
    """What is there already is kept when it is the same, else replaced."""
    try:
        if _tree_at(base, version, read_only) == tree:
            return
    except OSError:
        pass  # nothing, or no such directory
    with contextlib.suppress(FileNotFoundError):
        os.rename(version, beside + "-old", src_dir_fd=base, dst_dir_fd=base)
    os.rename(beside, version, src_dir_fd=base, dst_dir_fd=base)
    _remove(base, beside + "-old")


def _check_manifest(tree: _Tree, manifest: Iterable[Any]) -> None:
    files = {path: value for path, value in tree.items() if not path.endswith("/")}
    if files != {f.path: (f.size, f.sha256, f.mode) for f in manifest}:
        raise IntegrityError("the archive unpacks to something else than the server's manifest says")


def _unpack(base: int, name: str, archive: Archive) -> tuple[_Tree, str]:
    """Into the new directory `name`. Also the text of SKILL.md."""
    tree: _Tree = {}
    os.mkdir(name, 0o700, dir_fd=base)
    root = os.open(name, _DIRECTORY, dir_fd=base)
    try:
        text = b""
        for entry in archive.entries:
            if entry.left_out:
                for _ in archive.read(entry):
                    pass
            elif entry.directory:
                for _ in archive.read(entry):
                    pass
                os.close(_enter_all(root, entry.path.split("/"), tree))
            else:
                kept = _unpack_file(root, archive, entry, tree)
                text = kept if entry.path == "SKILL.md" else text
        os.fchmod(root, 0o755)
    finally:
        os.close(root)
    return tree, check_skill_md(text)


def _unpack_file(root: int, archive: Archive, entry: Entry, tree: _Tree) -> bytes:
    """Returns the content of SKILL.md."""
    *above, base = entry.path.split("/")
    directory = _enter_all(root, above, tree)
    digest, start, kept = hashlib.sha256(), b"", []
    if entry.path == "SKILL.md" and entry.size > MAX_SKILL_MD:
        raise ArchiveError("skill-md", f"SKILL.md too large (max: {MAX_SKILL_MD} bytes)")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(base, flags, 0o600, dir_fd=directory), "wb", 0) as out:
            for piece in archive.read(entry):
                start = start or piece[:2]
                digest.update(piece)
                _write_all(out, piece)
                if entry.path == "SKILL.md":
                    kept.append(piece)
            mode = 0o755 if entry.executable or start == b"#!" else 0o644
            os.fchmod(out.fileno(), mode)
    finally:
        os.close(directory)
    tree[entry.path] = (entry.size, digest.hexdigest(), mode)
    return b"".join(kept)


def _write_all(out: io.RawIOBase, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[out.write(view):]


# --- directories -----------------------------------------------------------------------------------


def _enter(at: int, name: str, mode: int) -> int:
    """Opens a directory below another, made now if it is not there."""
    try:
        os.mkdir(name, mode, dir_fd=at)
    except FileExistsError:
        return os.open(name, _DIRECTORY, dir_fd=at)
    fd = os.open(name, _DIRECTORY, dir_fd=at)
    os.fchmod(fd, mode)  # whatever the umask
    return fd


def _enter_all(root: int, parts: Sequence[str], tree: _Tree) -> int:
    fd, path = os.dup(root), ""
    for part in parts:
        path += part + "/"
        tree[path] = (0, "", 0o755)
        try:
            below = _enter(fd, part, 0o755)
        finally:
            os.close(fd)
        fd = below
    return fd


def _tree_at(base: int, name: str, read_only: bool) -> _Tree:
    """What is there, with the modes that a writable copy has; a read-only one is as good."""
    tree: _Tree = {}
    writable = {0o555: 0o755, 0o444: 0o644} | ({} if read_only else {0o755: 0o755, 0o644: 0o644})

    def add(at: int, name: str, path: str) -> None:
        fd = os.open(name, _DIRECTORY, dir_fd=at)
        try:
            for below in os.listdir(fd):
                found = os.stat(below, dir_fd=fd, follow_symlinks=False)
                mode = writable.get(stat.S_IMODE(found.st_mode), 0)
                if stat.S_ISDIR(found.st_mode):
                    tree[f"{path}{below}/"] = (0, "", mode)
                    add(fd, below, f"{path}{below}/")
                else:
                    tree[path + below] = (found.st_size, _hash_of(fd, below), mode)
        finally:
            os.close(fd)

    add(base, name, "")
    return tree


def _hash_of(at: int, name: str) -> str:
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=at)
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "no regular file")
        digest = hashlib.sha256()
        while data := file.read(PIECE):
            digest.update(data)
        return digest.hexdigest()


def _drop_write_bits(at: int, name: str) -> None:
    fd = os.open(name, _DIRECTORY, dir_fd=at)
    try:
        for below in os.listdir(fd):
            mode = os.stat(below, dir_fd=fd, follow_symlinks=False).st_mode
            if stat.S_ISDIR(mode):
                _drop_write_bits(fd, below)
            else:
                os.chmod(below, stat.S_IMODE(mode) & ~0o222, dir_fd=fd)
        os.fchmod(fd, 0o555)
    finally:
        os.close(fd)


def _remove(at: int, name: str) -> None:
    """Removes whatever has that name, read-only directories as well; nothing when it is not there."""
    try:
        fd = os.open(name, _DIRECTORY, dir_fd=at)
    except FileNotFoundError:
        return
    except OSError:
        os.unlink(name, dir_fd=at)
        return
    try:
        os.fchmod(fd, 0o700)
        for below in os.listdir(fd):
            _remove(fd, below)
    finally:
        os.close(fd)
    os.rmdir(name, dir_fd=at)


@contextlib.contextmanager
def _as_write_error(what: str) -> Iterator[None]:
    try:
        yield
    except StigmerError:
        raise
    except OSError as error:
        raise WriteError(f"{what}: {error}") from error
