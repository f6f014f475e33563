# initfsd unpacks with libdeflate. What its host tests unpack with is built for this machine with the sanitizers; they pack with
# this machine's zlib.
LIBS_initfsd := libdeflate supervise
HOST_CFLAGS_initfsd := $(CFLAGS_libdeflate)
HOST_LIBS_initfsd   := $(OUT)/host/libdeflate.a -lz
HOST_DEFLATE_OBJS   := $(DEFLATE_FILES:build/src/%.c=$(OUT)/host/obj/%.o)
$(patsubst %.c,$(OUT)/host/%,$(wildcard sbin/initfsd/*_test.c sbin/initfsd/*_fuzz.c)): $(OUT)/host/libdeflate.a
$(OUT)/host/libdeflate.a: $(HOST_DEFLATE_OBJS)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcsD $@ $^
$(OUT)/host/obj/libdeflate/%.o: build/src/libdeflate/%.c build/src/sources.mk
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) -std=gnu17 -O1 -g -w -fno-omit-frame-pointer -fno-sanitize-recover=all $(DEFLATE_FLAGS) \
		-fsanitize=fuzzer-no-link,address,undefined -c -o $@ $<
