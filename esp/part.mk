# esp/part.mk: initfs.tar.gz and what is written to a disk or stick.
#
#   OUT/initfs.tar.gz   initfs/, the time zones as etc/zones, the screen's font as etc/font, licences, and the programs, stripped, as sbin/NAME and bin/NAME
#   OUT/esp.img         the EFI system partition: FAT32, nothing around it
#   OUT/skerry.img      a GPT disk with that partition
#   OUT/skerry.iso      the same for CD drives, also a disk when written to a stick
#
# Test builds (TEST=1) also have the programs and services of tests/system and tests/bench in the archive;
# OUT/bench is the shipped build with that archive, for make bench.

# What must run before a disk is there; the tests may have more.
INITFS_MAX   := $(if $(TEST),4194304,2097152)
INITFS_TREE  := $(sort $(shell find initfs -type f 2>/dev/null))
INITFS_SBIN  := $(SBIN_PROGRAMS:%=$(OUT)/strip/%)
INITFS_BIN   := $(BIN_PROGRAMS:%=$(OUT)/strip/%)
# Time zones, from the package tzdata: not committed.
ZONES        := $(OUT)/zones/etc/zones
# The font of the screen's terminals, from the packages console-setup-linux and unifont: not committed.
FONT         := $(OUT)/font/etc/font
# The notices that the licences of what is in the image want to see beside it.
LICENCES_DIR := $(OUT)/licences/etc/licences
LICENCES     := $(addprefix $(LICENCES_DIR)/,skerry musl libdeflate bearssl libvterm terminus unifont gpl-2)
INITFS_MADE  := $(ZONES) $(FONT) $(LICENCES)
INITFS_TREES := --tree initfs --tree $(OUT)/zones --tree $(OUT)/font --tree $(OUT)/licences
TEST_TREE    := $(sort $(shell find tests/system/initfs -type f 2>/dev/null))
TEST_BIN     := $(TEST_PROGRAMS:%=$(OUT)/strip/%) $(patsubst tests/foreign/%.c,$(OUT)/foreign/%.linux,$(wildcard tests/foreign/*.c))
# With SAN=1 only the kernel is another: all else is the test build's.
PARTS        := $(if $(SAN),build/test,$(OUT))
# The tests read the log off the serial line.
BOOT_CFG     := $(if $(TEST),$(PARTS)/boot.cfg,esp/boot.cfg)
ESP_FILES    := $(PARTS)/BOOTX64.EFI $(BOOT_CFG) $(OUT)/kernel.elf $(PARTS)/strip/initfsd $(PARTS)/initfs.tar.gz
ifdef SAN
.PHONY: parts
parts:
	$(Q)$(MAKE) --no-print-directory SAN= BUG= TEST=1 all
$(filter $(PARTS)/%,$(ESP_FILES)): parts ;
endif

$(ZONES): tools/mkzones.py /usr/share/zoneinfo/zone.tab
	$(call say,ZONES,$@)
	$(Q)mkdir -p $(@D) && $(PYTHON) tools/mkzones.py /usr/share/zoneinfo >$@

$(FONT): tools/mkscreenfont.py /usr/share/unifont/unifont.hex $(wildcard /usr/share/consolefonts/*-Terminus16.psf.gz)
	$(call say,FONT,$@)
	$(Q)mkdir -p $(@D) && $(PYTHON) tools/mkscreenfont.py /usr/share/consolefonts /usr/share/unifont/unifont.hex >$@

$(LICENCES_DIR)/skerry:     LICENSE
$(LICENCES_DIR)/musl:       $(MUSL_SRC)/COPYRIGHT
$(LICENCES_DIR)/libdeflate: $(DEFLATE_SRC)/COPYING
$(LICENCES_DIR)/bearssl:    $(BEARSSL_SRC)/LICENSE.txt
$(LICENCES_DIR)/libvterm:   $(VTERM_SRC)/LICENSE
$(LICENCES_DIR)/terminus:   /usr/share/doc/console-setup-linux/copyright
$(LICENCES_DIR)/unifont:    /usr/share/doc/unifont/copyright
$(LICENCES_DIR)/gpl-2:      /usr/share/common-licenses/GPL-2
$(LICENCES):
	$(Q)mkdir -p $(@D) && cp $< $@

$(OUT)/initfs.tar.gz: tools/mkinitfs $(OUT)/epoch $(INITFS_TREE) $(INITFS_MADE) $(INITFS_SBIN) $(INITFS_BIN) $(if $(TEST),$(TEST_TREE) $(TEST_BIN))
	$(call say,TAR,$@)
	$(Q)tools/mkinitfs --out $@ $(INITFS_TREES) $(if $(TEST),--tree tests/system/initfs) \
		--sbin $(INITFS_SBIN) --bin $(INITFS_BIN) $(if $(TEST),$(TEST_BIN))

$(OUT)/bench/initfs.tar.gz: tools/mkinitfs $(OUT)/epoch $(INITFS_TREE) $(INITFS_MADE) $(TEST_TREE) $(INITFS_SBIN) $(INITFS_BIN) $(TEST_BIN)
	$(call say,TAR,$@)
	$(Q)mkdir -p $(@D) && tools/mkinitfs --out $@ $(INITFS_TREES) --tree tests/system/initfs \
		--sbin $(INITFS_SBIN) --bin $(INITFS_BIN) $(TEST_BIN)

$(OUT)/boot.cfg: esp/boot.cfg
	$(Q)mkdir -p $(@D) && sed 's/^cmdline *=.*/& quiet=0/' $< >$@

# No menu: waiting for a key is no part of what is counted. A fixed address, so that a profile has names.
$(OUT)/bench/boot.cfg: esp/boot.cfg
	$(Q)mkdir -p $(@D) && sed 's/^timeout *=.*/timeout = 0/; s/^cmdline *=.*/& nokaslr/' $< >$@

BENCH_FILES := $(OUT)/BOOTX64.EFI $(OUT)/bench/boot.cfg $(OUT)/kernel.elf $(OUT)/strip/initfsd $(OUT)/bench/initfs.tar.gz
$(OUT)/bench/esp.img: tools/mkimage $(BENCH_FILES)
	$(call say,FAT,$@)
	$(Q)tools/mkimage esp $@ $(BENCH_FILES)

$(OUT)/esp.img: tools/mkimage $(ESP_FILES)
	$(call say,FAT,$@)
	$(Q)tools/mkimage esp $@ $(ESP_FILES)

$(OUT)/skerry.img: tools/mkimage $(OUT)/epoch $(OUT)/esp.img
	$(call say,GPT,$@)
	$(Q)tools/mkimage disk $@ $(OUT)/esp.img

$(OUT)/skerry.iso: tools/mkimage $(OUT)/esp.img
	$(call say,ISO,$@)
	$(Q)tools/mkimage iso $@ $(OUT)/esp.img

# What a build that changed something says at its end; two promises of the project are kept here.
$(OUT)/report: $(OUT)/kernel.elf $(PARTS)/initfs.tar.gz tools/report
	$(Q)tools/report $(OUT)/kernel.elf $(KERNEL_LINES_MAX) $(PARTS)/initfs.tar.gz $(INITFS_MAX)
	$(Q)touch $@
