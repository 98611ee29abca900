"""What a loss of power leaves: a model of a disk that keeps what was synced and an arbitrary
subset of the rest, fed by what tests/power/record.c wrote down, and laid out again in the very
files (inodes) of the process that died.

The disk is as nasty as POSIX lets it be. Of what a file had not synced each write, truncation and
reservation may be lost or not, whatever came before or behind it, and a write may be torn. A
name is as durable as its folder's last sync: a new file's bytes may be there and its name not, or
its name and none of its bytes; a rename is whole or lost. Only a sync of the parent
keeps a new folder's own name.
"""

import hashlib
import os
import shutil

SECTOR, PAGE = 512, 4096


class File:
    """A file as it is on the disk, and what was done to it since its last sync."""

    def __init__(self, inode, mode, data=b"", mtime_ns=None):
        self.inode, self.data, self.mode, self.mtime_ns = inode, bytearray(data), mode, mtime_ns
        self.pending, self._digest = [], None

    def digest(self):
        self._digest = self._digest or hashlib.sha256(self.data).hexdigest()
        return self._digest

    def sync(self, kinds):
        for op in self.pending:
            if op[0] in kinds:
                self._do(op)
        self.pending = [op for op in self.pending if op[0] not in kinds]

    def after(self, ops):
        """The file as it is when these operations got to the disk."""
        if not ops:
            return self
        file = File(self.inode, self.mode, self.data, self.mtime_ns)
        for op in ops:
            file._do(op)
        return file

    def _do(self, op):
        kind, number, data = op
        self._digest = None
        if kind == "mode":
            self.mode = number
        elif kind == "times":
            self.mtime_ns = number
        elif kind == "truncate":
            del self.data[number:]
            self.data.extend(bytes(number - len(self.data)))
        else:  # a reservation is a write of nothing at its end
            self.data.extend(bytes(max(0, number + len(data) - len(self.data))))
            self.data[number:number + len(data)] = data


class Folder:
    """Names -> files and folders: as they are seen, as they are on the disk, and the changes in
    between, each {name: node or None} in one."""

    def __init__(self):
        self.seen, self.names, self.pending = {}, {}, []

    def change(self, names):
        self.pending.append(names)
        _rename(self.seen, names)

    def sync(self):
        self.names, self.pending = dict(self.seen), []

    def after(self, changes):
        names = dict(self.names)
        for change in changes:
            _rename(names, change)
        return names


def _rename(names, change):
    for name, node in change.items():
        if node is None:
            names.pop(name, None)
        else:
            names[name] = node


DATA = ("write", "reserve", "truncate")
ALL = (*DATA, "mode", "times")


class Disk:
    """The model. It begins with what is in a folder, all of it durable."""

    def __init__(self, folder):
        self.root, self.files, self.folders = Folder(), {}, {}
        self._scan(folder, self.root)

    def _scan(self, folder, into):
        for entry in os.scandir(folder):
            if entry.is_dir():
                node = Folder()
                self._scan(entry.path, node)
            elif entry.name.endswith("-shm"):
                continue
            else:
                stat = entry.stat()
                with open(entry.path, "rb") as file:
                    node = File(stat.st_ino, stat.st_mode & 0o7777, file.read(), stat.st_mtime_ns)
                self.files[node.inode] = node
            into.change({entry.name: node})
        into.sync()

    def _at(self, path):
        folder, *names = self.root, *path.split("/")
        for name in names[:-1]:
            folder = folder.seen[name]
        return folder, names[-1]

    def folder(self, path):
        folder, name = self._at(path)
        return folder.seen[name] if name else folder

    def do(self, op):
        """Carries out an operation of the log."""
        kind, inode, number, path, data = op
        if kind == "create":
            self.files[inode] = File(inode, number)
            folder, name = self._at(path)
            folder.change({name: self.files[inode]})
        elif kind == "mkdir":
            folder, name = self._at(path)
            folder.change({name: Folder()})
        elif kind == "unlink":
            folder, name = self._at(path)
            folder.change({name: None})
        elif kind == "rename":
            (folder, old), (to, new) = self._at(path), self._at(data.decode())
            assert folder is to, "it would be in two folders, or in none"
            folder.change({old: None, new: folder.seen[old]})
        elif kind == "syncfs":
            self._sync_all(self.root)
        elif kind in ("fsync", "fdatasync") and inode in self.files:
            self.files[inode].sync(ALL if kind == "fsync" else DATA)
        elif kind in ("fsync", "fdatasync"):
            self.folder(path).sync()
        else:
            self.files[inode].pending.append((kind, number, data))

    def _sync_all(self, folder):
        folder.sync()
        for node in folder.seen.values():
            if isinstance(node, Folder):
                self._sync_all(node)
            else:
                node.sync(ALL)

    def left(self, reached):
        """{path: file, or None: a folder} that a loss of power leaves. reached(path, op): what
        of an operation got to the disk, as a list of operations; of a change of names (a dict)
        likewise."""
        found = {}
        self._left(self.root, "", reached, found)
        return found

    def _left(self, folder, path, reached, found):
        changes = [part for op in folder.pending for part in reached(path + next(iter(op)), op)]
        for name, node in folder.after(changes).items():
            if isinstance(node, Folder):
                found[path + name] = None
                self._left(node, f"{path}{name}/", reached, found)
            else:
                ops = [part for op in node.pending for part in reached(path + name, op)]
                found[path + name] = node.after(ops)


# ---- What got to the disk of what had not been synced ----


def nothing(path, op):
    return []


def everything(path, op):
    return [op]


def only(prefix):
    """All that happened below that, nothing of the rest."""
    return lambda path, op: [op] if path.startswith(prefix) else []


def some(chance):
    """Each operation or not, some writes torn."""
    likely = chance.choice([0.1, 0.5, 0.9])

    def reached(path, op):
        if isinstance(op, tuple) and op[0] == "write" and chance.random() < 0.25:
            return torn(op, chance)
        return [op] if chance.random() < likely else []
    return reached


def torn(op, chance):
    """Some of the sectors, or pages, that a write covers."""
    kind, start, data = op
    size, end = chance.choice([SECTOR, PAGE]), start + len(data)
    cuts = [start, *range(start // size * size + size, end, size), end]
    return [(kind, a, data[a - start:b - start]) for a, b in zip(cuts, cuts[1:])
            if chance.random() < 0.5]


# ---- The log, and the true disk ----


def read_log(path):
    """[(kind, inode, number, path, data)], a last one that was cut off left out."""
    ops = []
    with open(path, "rb") as log:
        while line := log.readline():
            kind, inode, number, path_bytes, data_bytes = line.split()
            name, data = log.read(int(path_bytes)), log.read(int(data_bytes))
            ops.append((kind.decode(), int(inode), int(number), name.decode(), data))
    return ops


def seen(folder):
    """{path: (inode, bytes, mode), or None: a folder} of the true disk."""
    found = {}
    for top, folders, names in os.walk(folder):
        for name in folders:
            found[os.path.relpath(f"{top}/{name}", folder)] = None
        for name in names:
            path = f"{top}/{name}"
            stat = os.stat(path)
            if not name.endswith("-shm"):
                with open(path, "rb") as file:
                    found[os.path.relpath(path, folder)] = (
                        stat.st_ino, file.read(), stat.st_mode & 0o7777)
    return found


def lay(left, folder, held, known):
    """Makes a folder what a loss of power left, out of the files that are in it and in `held`;
    those of neither kind that nobody knows any more are removed."""
    for top, _, names in os.walk(folder):
        for name in names:
            path = f"{top}/{name}"
            os.rename(path, f"{held}/{os.stat(path).st_ino}")
    for name in os.listdir(folder):
        shutil.rmtree(f"{folder}/{name}")
    for path, file in sorted(left.items()):
        path = f"{folder}/{path}"
        if file is None:
            os.mkdir(path)
            continue
        os.rename(f"{held}/{file.inode}", path)
        with open(path, "wb") as out:
            out.write(file.data)
        os.chmod(path, file.mode)
        if file.mtime_ns is not None:
            os.utime(path, ns=(file.mtime_ns, file.mtime_ns))
    for name in os.listdir(held):
        if int(name) not in known:
            os.unlink(f"{held}/{name}")
