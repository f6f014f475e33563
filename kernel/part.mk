# kernel/part.mk: build/kernel.elf, a static PIE linked twice: the first link tells tools/mksyms.py where
# every function is, the second carries that table at the end of its read-only data, behind all code.

KERNEL_FILES   := $(filter-out %_test.c %_fuzz.c $(if $(SAN),,kernel/debug/%),$(sort $(shell find kernel -name '*.c' -o -name '*.S')))
KERNEL_OBJS    := $(call objects,$(KERNEL_FILES)) $(GEN_KERNEL:build/%.c=$(OUT)/obj/%.o)
KERNEL_LDFLAGS := -pie --no-dynamic-linker -z separate-code -z max-page-size=4096 -z norelro -z noexecstack \
	--build-id=none -T kernel/kernel.ld
MKSYMS         := tools/mksyms.py
KERNEL_FONT    := /usr/share/consolefonts/Uni2-Terminus16.psf.gz
KERNEL_OBJS    += $(OUT)/obj/font.o
# 12,000 are promised; what SMP, upcalls, futexes, clones, pins and pagers have brought is to be made up for.
KERNEL_LINES_MAX := 13860

$(OUT)/obj/kernel/%.o: kernel/%.c $(OUT)/flags.kernel
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(KERNEL_CFLAGS) $(if $(filter $(KASAN_NOT),$<),,$(KASAN_CFLAGS)) -MMD -MP -c -o $@ $<

$(OUT)/obj/kernel/%.o: kernel/%.S $(OUT)/flags.kernel
	$(call say,AS,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(KERNEL_CFLAGS) -MMD -MP -c -o $@ $<

# In the sanitized build kernel/debug/kasan.c looks at the arguments of copies first.
ifdef SAN
$(OUT)/obj/kernel/arch/x86_64/usercopy.o: KERNEL_CFLAGS += $(foreach f,memcpy memmove memset user_copy,-D$f=raw_$f)
$(OUT)/obj/kernel/debug/%.o: KERNEL_CFLAGS := $(filter-out -fsanitize=undefined -fstack-protector-strong,$(KERNEL_CFLAGS))
endif

$(OUT)/obj/gen/kernel/%.o: build/gen/kernel/%.c $(OUT)/flags.kernel
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(KERNEL_CFLAGS) -MMD -MP -c -o $@ $<

$(OUT)/obj/font.c: tools/mkfont.py $(wildcard $(KERNEL_FONT))
	$(call say,GEN,$@)
	$(Q)mkdir -p $(@D) && $(PYTHON) tools/mkfont.py $(KERNEL_FONT) >$@

$(OUT)/obj/font.o: $(OUT)/obj/font.c $(OUT)/flags.kernel
	$(Q)$(CC) $(KERNEL_CFLAGS) -c -o $@ $<

$(OUT)/kernel.pass1.elf: $(KERNEL_OBJS) kernel/kernel.ld
	$(call say,LD,$@)
	$(Q)$(LD) $(KERNEL_LDFLAGS) -o $@ $(KERNEL_OBJS)

$(OUT)/obj/symbols.S: $(OUT)/kernel.pass1.elf $(MKSYMS)
	$(call say,GEN,$@)
	$(Q)$(PYTHON) $(MKSYMS) $< >$@

$(OUT)/obj/symbols.o: $(OUT)/obj/symbols.S
	$(Q)$(CC) $(KERNEL_CFLAGS) -c -o $@ $<

$(OUT)/kernel.elf: $(OUT)/obj/symbols.o kernel/kernel.ld
	$(call say,LD,$@)
	$(Q)$(LD) $(KERNEL_LDFLAGS) -o $@ $(KERNEL_OBJS) $<
	$(Q)$(PYTHON) $(MKSYMS) --check $(OUT)/kernel.pass1.elf $@
