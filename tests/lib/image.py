"""
image: variants of the boot image, for tests that change or break what the machine boots from.

    esp_with(out, build, cmdline="nokaslr", files={"skerry/kernel.elf": None})    None takes a file away

Works on the bare FAT image (build/esp.img), which every firmware here boots like the disk around it. The initfs
is unpacked, changed and packed again by Python's tarfile.
"""
import gzip
import io
import os
import pathlib
import shutil
import subprocess
import tarfile

ENVIRONMENT = dict(os.environ, MTOOLS_SKIP_CHECK="1", MTOOLSRC="/dev/null")


def mtools(command, image, *arguments):
    subprocess.run([command, "-i", str(image), *arguments], check=True, env=ENVIRONMENT,
                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def read_file(image, path):
    return subprocess.run(["mtype", "-i", str(image), f"::{path}"], check=True, env=ENVIRONMENT,
                          stdout=subprocess.PIPE).stdout


def boot_cfg(cmdline="", **keys):
    """A boot.cfg of one entry; a key given as None is left out."""
    values = {"kernel": r"\skerry\kernel.elf", "first": r"\skerry\initfsd", "initfs": r"\skerry\initfs.tar.gz",
              "cmdline": cmdline, **keys}
    return "timeout = 0\n[skerry]\n" + "".join(f"{k} = {v}\n" for k, v in values.items() if v is not None)


def esp_with(out, build, cmdline=None, files=None):
    """
    A copy of the FAT image at `out`: another command line, other files (path: bytes, or None: none). With the log on the serial line (quiet=0)
    unless the command line, or a boot.cfg among the files, says something else.
    """
    out = pathlib.Path(out)
    subprocess.run(["cp", "--sparse=always", str(pathlib.Path(build) / "esp.img"), str(out)], check=True)
    changes = dict(files or {})
    if cmdline is not None or "boot.cfg" not in changes:
        words = (cmdline or "").split()
        if not any(word == "quiet" or word.startswith("quiet=") for word in words):
            words.append("quiet=0")
        changes["boot.cfg"] = boot_cfg(" ".join(words)).encode()
    for path, data in changes.items():
        if data is None:
            mtools("mdel", out, f"::{path}")
            continue
        source = out.with_suffix(".part")
        source.write_bytes(data)
        mtools("mcopy", out, "-o", str(source), f"::{path}")
        source.unlink()
    return out


def initfs_with(build, files):
    """The packed initfs with other files (name: bytes, or None: none), as bytes."""
    files = dict(files)
    old = tarfile.open(pathlib.Path(build) / "initfs.tar.gz")
    packed = io.BytesIO()
    with old, gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as outer, \
            tarfile.open(fileobj=outer, mode="w", format=tarfile.USTAR_FORMAT) as new:
        for entry in old:
            name = entry.name.removeprefix("./")
            data = old.extractfile(entry).read() if entry.isfile() else b""
            if name in files:
                data = files.pop(name)
                if data is None:
                    continue
                entry.size = len(data)
            new.addfile(entry, io.BytesIO(data) if entry.isfile() else None)
        for name, data in files.items():
            if data is not None:
                entry = tarfile.TarInfo("./" + name)
                entry.size = len(data)
                entry.mode = 0o755
                new.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


def copy_tree(source, target):
    """The sources, without what was built from them."""
    shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("build", ".git", "__pycache__"))
