# efiloader/part.mk: BOOTX64.EFI, a PE image for the firmware's own calling convention. The firmware has
# set up SSE, so this is the one place where the compiler may use it.

LOADER_FILES  := $(call sources,efiloader)
LOADER_OBJS   := $(patsubst efiloader/%.c,$(OUT)/obj/efiloader/%.obj,$(LOADER_FILES))
LOADER_CFLAGS := -target x86_64-unknown-windows -std=gnu17 -O2 -gdwarf -Wall -Wextra -Wshadow -ffreestanding \
	-fshort-wchar -mno-red-zone -fno-stack-protector -mno-stack-arg-probe -isystem /usr/include/efi \
	-Iabi/include -Iefiloader/include -ffile-prefix-map=$(CURDIR)=. -fdebug-compilation-dir=. $(if $(TEST),-DTEST_BUILD)

ifneq ($(NEED_BUILD),)
$(eval $(call flags_file,$(OUT)/flags.loader,$(LOADER_CFLAGS)))
endif

$(OUT)/obj/efiloader/%.obj: efiloader/%.c $(OUT)/flags.loader
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(LOADER_CFLAGS) -MMD -MP -c -o $@ $<

LOADER_LINK := lld-link -nologo -subsystem:efi_application -entry:efi_main -nodefaultlib -Brepro

# One for the disk, and one with symbols for the debugger.
$(OUT)/BOOTX64.EFI: $(LOADER_OBJS)
	$(call say,LINK,$@)
	$(Q)$(LOADER_LINK) -out:$@ $(LOADER_OBJS)
	$(Q)$(LOADER_LINK) -debug:dwarf -out:$(OUT)/BOOTX64.debug.efi $(LOADER_OBJS)
