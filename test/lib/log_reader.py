"""A log as it lies in a directory (https://c2sp.org/tlog-tiles), read and checked with nothing of our own."""

import base64
import hashlib


def leaf(data):
    return hashlib.sha256(b"\0" + data).digest()


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def tree_root(leaves):
    """MTH of RFC 6962, section 2.1, over the hashes of leaves."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return node(tree_root(leaves[:split]), tree_root(leaves[split:]))


class PublishedLog:
    """What a division has below tlog/."""

    def __init__(self, directory, folder):
        self.path = directory / "tlog" / folder
        self.size = 0
        if (self.path / "checkpoint").exists():
            self.origin, self.size, self.root = self.parse((self.path / "checkpoint").read_text())

    @staticmethod
    def parse(note):
        origin, size, root = note.split("\n")[:3]
        return origin, int(size), base64.b64decode(root, validate=True)

    @staticmethod
    def root_of(hashes):
        return tree_root([leaf(one) for one in hashes])

    def sizes(self):
        return sorted(int(path.name) for path in (self.path / "checkpoints").iterdir())

    def checkpoint(self, size):
        origin, said, root = self.parse((self.path / "checkpoints" / str(size)).read_text())
        assert said == size
        return origin, root

    def tile(self, what, n, width):
        digits = f"{n:03d}" if n < 1000 else f"x{n // 1000:03d}/{n % 1000:03d}"
        return (self.path / "tile" / what / (digits if width == 256 else f"{digits}.p/{width}")).read_bytes()

    def widths(self, count):
        """Index and width of the tiles that so many hashes fill."""
        return [(n, min(256, count - 256 * n)) for n in range((count + 255) // 256)]

    def entries(self):
        """Every entry of the log's size."""
        found = []
        for n, width in self.widths(self.size):
            bundle = self.tile("entries", n, width)
            assert len(bundle) == 34 * width
            for i in range(width):
                assert bundle[34 * i:34 * i + 2] == b"\0\x20"
                found.append(bundle[34 * i + 2:34 * i + 34])
        return found

    def tiles_are_whole(self):
        """Each tile of each level is what the entries give."""
        hashes = [leaf(entry) for entry in self.entries()]
        level = 0
        while hashes:
            for n, width in self.widths(len(hashes)):
                assert self.tile(str(level), n, width) == b"".join(hashes[256 * n:256 * n + width]), (level, n)
            hashes = [tree_root(hashes[256 * n:256 * n + 256]) for n in range(len(hashes) // 256)]
            level += 1
        return True
