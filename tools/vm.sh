# vm.sh: what tools/run and tools/debug share; sourced. Leaves the QEMU command line in the array `vm`.
#
#   CPUS=4 MEM=512 (MiB) DISK=nvme|ahci|usb|virtio APPEND="words for the kernel" CPU=model IMAGE=file
#
# The image itself is never written to: words for the kernel go into the boot.cfg of a copy, and QEMU keeps
# what the guest writes to itself.

: "${CPUS:=4}" "${MEM:=512}" "${DISK:=nvme}" "${APPEND:=}" "${IMAGE:=${OUT:-build}/skerry.img}"
PATH=$PATH:/usr/sbin:/sbin

die()
{
	echo "${0##*/}: $*" >&2
	exit 1
}

# True when KVM really runs a guest here, at speed; /dev/kvm alone proves nothing inside some virtual machines. The
# trial, with the processor and machine that shall be used, is a boot sector that writes 0x10 to the debug exit port,
# which ends QEMU with status 33.
kvm_works()
{
	local trial status=0
	[ -r /dev/kvm ] && [ -w /dev/kvm ] || return 1
	trial=$(mktemp)
	printf '\260\020\346\364\364' >"$trial"
	truncate -s 510 "$trial"
	printf '\125\252' >>"$trial"
	# The braces keep the shell's own word about an aborted QEMU off the terminal.
	{ timeout 3 qemu-system-x86_64 -M q35 -accel kvm -cpu "${CPU:-host}" -m 32 -display none -nic none -serial none -monitor none \
		-device isa-debug-exit,iobase=0xf4,iosize=4 -drive "file=$trial,format=raw" || status=$?; } >/dev/null 2>&1
	rm -f "$trial"
	[ "$status" = 33 ]
}

# Prints the first file that exists.
first_of()
{
	local file
	for file in "$@"; do
		[ -r "$file" ] && { echo "$file"; return; }
	done
	return 1
}

# Firmware: code and variables apart where both are there, else both in one file.
add_firmware()
{
	local code vars d
	for d in /usr/share/OVMF /usr/share/edk2/x64 /usr/share/edk2/ovmf /usr/share/edk2-ovmf/x64 /usr/share/qemu; do
		code=$(first_of "$d/OVMF_CODE_4M.fd" "$d/OVMF_CODE.4m.fd" "$d/OVMF_CODE.fd" "$d/ovmf-x86_64-code.bin") || continue
		vars=$(first_of "$d/OVMF_VARS_4M.fd" "$d/OVMF_VARS.4m.fd" "$d/OVMF_VARS.fd" "$d/ovmf-x86_64-vars.bin") || continue
		vm+=(-drive "if=pflash,format=raw,unit=0,readonly=on,file=$code"
		     -drive "if=pflash,format=raw,unit=1,snapshot=on,file=$vars")
		return
	done
	code=$(first_of /usr/share/ovmf/OVMF.fd /usr/share/qemu/OVMF.fd) || die "no UEFI firmware (OVMF) found on this machine"
	vm+=(-bios "$code")
}

add_disk()
{
	vm+=(-drive "file=$1,format=raw,if=none,id=boot,snapshot=on")
	case $DISK in
	nvme) vm+=(-device nvme,serial=skerry,drive=boot,bootindex=0) ;;
	ahci) vm+=(-device ide-hd,drive=boot,bootindex=0) ;;
	usb) vm+=(-device qemu-xhci -device usb-storage,drive=boot,bootindex=0) ;;
	virtio) vm+=(-device virtio-blk-pci,drive=boot,bootindex=0) ;;
	*) die "DISK=$DISK: know nvme, ahci, usb, virtio" ;;
	esac
}

# Prints the image to boot: IMAGE itself, or a copy whose entries have the words in $1 at their command lines' ends.
image_with()
{
	local words=$1 copy=${OUT:-build}/run.img cfg
	[ -n "$words" ] || { echo "$IMAGE"; return; }
	cfg=$(mktemp)
	cp --sparse=always "$IMAGE" "$copy"
	export MTOOLS_SKIP_CHECK=1
	mtype -i "$copy@@1M" ::/boot.cfg | tr -d '\r' |
		awk -v words="$words" '/^[ \t]*cmdline[ \t]*=/ { print $0 " " words; seen = 1; next } { print }
			END { if (!seen) print "cmdline = " words }' >"$cfg"
	mcopy -o -i "$copy@@1M" "$cfg" ::/boot.cfg
	rm -f "$cfg"
	echo "$copy"
}

# A window where there is a screen and a QEMU that can draw on it.
add_display()
{
	local kinds
	if [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
		kinds=$(qemu-system-x86_64 -display help 2>/dev/null)
		case $kinds in
		*gtk*) vm+=(-display gtk); return ;;
		*sdl*) vm+=(-display sdl); return ;;
		esac
	fi
	vm+=(-display none)
}

# $1: words for the kernel
vm_setup()
{
	local image
	[ -f "$IMAGE" ] || die "$IMAGE is not there: make it first"
	image=$(image_with "$1")
	vm=(qemu-system-x86_64 -name skerry -M q35 -m "$MEM" -smp "$CPUS" -nic none)
	if kvm_works; then
		vm+=(-accel kvm -cpu "${CPU:-host}")
	else
		vm+=(-accel tcg,thread=multi -cpu "${CPU:-max}")
	fi
	add_firmware
	add_disk "$image"
	add_display
}
