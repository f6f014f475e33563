# lib/term: who links it names libvterm, font and utf8 too.
CFLAGS_term = $(CFLAGS_libvterm)

# For the tests, libvterm is built for this machine with the sanitizers: what programs send is to find no bug in it either.
HOST_CFLAGS_term := -isystem build/src/libvterm/include -isystem build/src/libvterm/src
HOST_LIBS_term   := $(OUT)/host/libvterm.a
HOST_VTERM_OBJS  := $(patsubst %,$(OUT)/host/obj/libvterm/src/%.o,encoding keyboard mouse parser pen state vterm)
$(OUT)/host/lib/term/term_test $(OUT)/host/lib/term/corpus_test $(OUT)/host/lib/term/draw_test $(OUT)/host/lib/term/term_fuzz: $(OUT)/host/libvterm.a
$(OUT)/host/libvterm.a: $(HOST_VTERM_OBJS)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcsD $@ $^
$(OUT)/host/obj/libvterm/%.o: build/src/libvterm/%.c build/src/sources.mk
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) -std=gnu17 -O1 -g -w -fno-omit-frame-pointer -fno-sanitize-recover=all -isystem build/src/libvterm/include \
		-fsanitize=fuzzer-no-link,address,undefined -c -o $@ $<
