# lib/zfast: who links zlib names zfast too: zlib's inflate calls the loop that is here.
CFLAGS_zfast = $(CFLAGS_zlib)

# For the tests, the same zlib with the same loop is built for this machine with the sanitizers, every name with a z_ before it: this
# machine's own zlib is what it is compared with.
HOST_CFLAGS_zfast := -isystem build/src/zlib
HOST_LIBS_zfast   := $(OUT)/host/zfast.a -lz
HOST_ZFAST_OBJS   := $(patsubst %,$(OUT)/host/obj/zfast/%.o,adler32 crc32 inffast inflate inftrees zutil)
$(OUT)/host/lib/zfast/inffast_test $(OUT)/host/lib/zfast/inffast_fuzz $(OUT)/host/lib/zfast/crc_test: $(OUT)/host/zfast.a
$(OUT)/host/zfast.a: $(HOST_ZFAST_OBJS)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcsD $@ $^
$(OUT)/host/obj/zfast/inffast.o: HOST_ZFAST_FLAGS := -Dz_inflate_fast=inffast_near_end
$(OUT)/host/obj/zfast/%.o: build/src/zlib/%.c build/src/sources.mk
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) -std=gnu17 -O1 -g -w -fno-omit-frame-pointer -fno-sanitize-recover=all -DZ_PREFIX $(HOST_ZFAST_FLAGS) \
		-fsanitize=fuzzer-no-link,address,undefined -c -o $@ $<
