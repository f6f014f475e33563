LIBS_acpid := acpica

# embedded_test.c has the real ACPICA below it, compiled for this machine: with ASan; to UBSan its offsets from null pointers are errors. That takes most of a
# minute of one processor, once.
ifdef VERSION_acpica
HOST_ACPICA  := $(ACPICA_FILES:build/src/%.c=$(OUT)/host/%.o)
HOST_ACPID   := $(patsubst %,$(OUT)/host/sbin/acpid/%.o,ec machine pci route slots tables)

$(HOST_ACPICA): $(OUT)/host/%.o: build/src/%.c build/src/sources.mk $(wildcard sbin/acpid/port/*/*.h sbin/acpid/port/*/*/*.h)
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) -std=gnu17 -O1 -g -w -fno-omit-frame-pointer -fsanitize=address -Isbin/acpid/port -I$(ACPICA_SRC)/include \
		-I$(ACPICA_SRC)/drivers/acpi/acpica -D_LINUX -DBUILDING_ACPICA -c -o $@ $<

$(HOST_ACPID): $(OUT)/host/%.o: %.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(HOST_CFLAGS) $(CFLAGS_acpica) -fsanitize=address,undefined -MMD -MP -MF $@.d -c -o $@ $<

$(OUT)/host/acpica.a: $(HOST_ACPICA)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcsD $@ $^

$(OUT)/host/sbin/acpid/embedded_test: $(HOST_ACPID) $(OUT)/host/acpica.a
$(OUT)/host/sbin/acpid/embedded_test: HOST_CFLAGS_acpid := $(CFLAGS_acpica)
$(OUT)/host/sbin/acpid/embedded_test: HOST_LIBS_acpid := $(HOST_ACPID) $(OUT)/host/acpica.a
endif
