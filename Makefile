# Skerry: what can be made. All output goes to build/ (test builds: build/test/).
#
#   make            the images: build/skerry.img (GPT disk) and build/esp.img (the bare FAT32 inside it)
#   make run        start it in QEMU: CPUS=4 MEM=512 DISK=nvme|ahci|usb|virtio, APPEND="words for the kernel"
#   make test       everything there is to test; the last line sums it up
#   make check      host unit tests (every *_test.c), with ASan and UBSan
#   make test-sanitized  the kernel that looks at every access and every lock, under load (a part of it is in make test)
#   make fuzz       every *_fuzz.c for FUZZ_SECONDS=5 each
#   make bench      the figures of tests/bench
#   make soak       kill and load services for a long time: SOAK_MINUTES=60
#   make screenshot docs/screenshot.png, the picture in the README
#   make debug      as run, halted, with gdb attached and all symbols loaded
#   make usb        write the image to a stick: DEV=/dev/sdX
#   make iso        build/skerry.iso, for CDs and for hypervisors that want one
#   make lint       clang-tidy, cppcheck, syntax of scripts, for what changed since the last time (make -k lint goes on after a finding)
#   make format     clang-format over the lines changed since the last commit
#   make setup      install what is missing (make does this by itself the first time)
#   make clean      remove build/
#   make help       this list
#
# V=1 shows the commands. TEST=1 makes the build that tests use (-DTEST_BUILD), SAN=1 that
# with the sanitized kernel (build/san).

all:

include tools/build.mk          # tools, flags, the rules that every room shares
include abi/part.mk             # build/gen: what is generated from abi/
include lib/part.mk             # libraries: from source packages, lib/NAME, and the run-time (rt.a)
include kernel/part.mk          # kernel.elf
include efiloader/part.mk       # BOOTX64.EFI
include bin/part.mk             # programs: sbin/NAME and bin/NAME
include esp/part.mk             # initfs.tar.gz and the images
include tests/part.mk           # check, fuzz, test, lint

.PHONY: all run debug usb iso test check fuzz bench soak screenshot lint format setup clean help

all: $(OUT)/skerry.img $(OUT)/esp.img $(OUT)/report

run: all
	@tools/run

debug: all
	@tools/debug

usb: all
	@tools/usb '$(DEV)'

iso: $(OUT)/skerry.iso

setup:
	@tools/setup --again

clean:
	rm -rf build

help:
	@sed -n '2,/^$$/s/^# \{0,1\}//p' Makefile
