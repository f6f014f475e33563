"""
What the build promises: the same bytes for the same sources wherever they lie, an initfs within its limit, and an
image that other tools find nothing wrong with.
"""
import hashlib
import os
import shutil
import subprocess
import tarfile

from image import copy_tree

ARTIFACTS = ("skerry.img", "esp.img", "initfs.tar.gz", "kernel.elf", "BOOTX64.EFI")
PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"


def hashes(folder):
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in ARTIFACTS}


def test_reproducible(root, build, tmp_path):
    """A copy of the tree, in a folder of another name and depth and built from nothing, gives the images that this one has."""
    environment = {key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "OUT", "TEST")}
    if build == root / "build":
        stale = subprocess.run(["make", "-q", "all"], cwd=root, env=environment, check=False, stdout=subprocess.DEVNULL)
        assert stale.returncode == 0, "the sources are newer than build/: make first"
    place = tmp_path / "some" / "deeper" / "folder"
    copy_tree(root, place)
    (place / "build").mkdir()
    # The unpacked source packages are the same for both and need no network, and so is what is made of them, but for the folder's name in the flags.
    os.symlink(build.resolve() / "src", place / "build" / "src")
    shutil.copytree(build / "lib", place / "build" / "lib")
    flags = (build / "flags.lib").read_text(encoding="ascii").replace(str(root), str(place))
    (place / "build" / "flags.lib").write_text(flags, encoding="ascii")
    os.utime(place / "build" / "flags.lib", (0, 0))
    # The copy has no history to take the moment from.
    moment = (build / "epoch").read_text(encoding="ascii").strip()
    done = subprocess.run(["make", "-j2", f"SOURCE_DATE_EPOCH={moment}", "all"], cwd=place, env=environment, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-3000:]
    assert hashes(place / "build") == hashes(build)


def test_no_path_of_this_machine_in_the_images(root, build):
    for name in ("kernel.elf", "BOOTX64.EFI", "initfs.tar.gz", "skerry.img"):
        assert str(root).encode() not in (build / name).read_bytes(), name
    for program in (build / "user").iterdir():
        assert str(root).encode() not in program.read_bytes(), program.name


def test_file_system_is_clean(build, tmp_path):
    done = subprocess.run(["fsck.fat", "-n", str(build / "esp.img")], env={**os.environ, "PATH": PATH}, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout.decode()


def test_partition_table_is_right(build):
    done = subprocess.run(["sgdisk", "-v", str(build / "skerry.img")], env={**os.environ, "PATH": PATH}, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0 and b"No problems found" in done.stdout, done.stdout.decode()
    disk = (build / "skerry.img").read_bytes()
    esp = (build / "esp.img").read_bytes()
    assert disk[1 << 20:][:len(esp)] == esp


def test_initfs_is_small(build):
    listing = subprocess.run(["gzip", "-dc", str(build / "initfs.tar.gz")], check=True, stdout=subprocess.PIPE).stdout
    assert len(listing) <= 2 << 20


def test_licences_are_in_the_image(build):
    """Of everything in it that is not ours, as the licences want."""
    with tarfile.open(build / "initfs.tar.gz") as tar:
        notices = {name.rpartition("/")[2]: tar.extractfile(name).read().decode() for name in tar.getnames() if "/etc/licences/" in name}
    for name in ("acpica", "bearssl", "libdeflate", "libvterm", "musl", "skerry", "terminus", "unifont"):
        assert "opyright" in notices.get(name, ""), name
    assert "GNU GENERAL PUBLIC LICENSE" in notices["gpl-2"]        # unifont's
