# esp/part.mk: initfs.tar.gz and what is written to a disk or stick.
#
#   OUT/initfs.tar.gz   initfs/ and the programs, stripped, as sbin/NAME and bin/NAME
#   OUT/esp.img         the EFI system partition: FAT32, nothing around it
#   OUT/skerry.img      a GPT disk with that partition
#   OUT/skerry.iso      the same for CD drives, also a disk when written to a stick

INITFS_MAX   := 2097152
INITFS_TREE  := $(sort $(shell find initfs -type f 2>/dev/null))
INITFS_SBIN  := $(SBIN_PROGRAMS:%=$(OUT)/strip/%)
INITFS_BIN   := $(BIN_PROGRAMS:%=$(OUT)/strip/%)
ESP_FILES    := $(OUT)/BOOTX64.EFI esp/boot.cfg $(OUT)/kernel.elf $(OUT)/strip/initfsd $(OUT)/initfs.tar.gz

$(OUT)/initfs.tar.gz: tools/mkinitfs $(INITFS_TREE) $(INITFS_SBIN) $(INITFS_BIN)
	$(call say,TAR,$@)
	$(Q)tools/mkinitfs --out $@ --tree initfs --sbin $(INITFS_SBIN) --bin $(INITFS_BIN)

$(OUT)/esp.img: tools/mkimage $(ESP_FILES)
	$(call say,FAT,$@)
	$(Q)tools/mkimage esp $@ $(ESP_FILES)

$(OUT)/skerry.img: tools/mkimage $(OUT)/esp.img
	$(call say,GPT,$@)
	$(Q)tools/mkimage disk $@ $(OUT)/esp.img

$(OUT)/skerry.iso: tools/mkimage $(OUT)/esp.img
	$(call say,ISO,$@)
	$(Q)tools/mkimage iso $@ $(OUT)/esp.img

# What a build that changed something says at its end; two promises of the project are kept here.
$(OUT)/report: $(OUT)/kernel.elf $(OUT)/initfs.tar.gz tools/report
	$(Q)tools/report $(OUT)/kernel.elf $(KERNEL_LINES_MAX) $(OUT)/initfs.tar.gz $(INITFS_MAX)
	$(Q)touch $@
