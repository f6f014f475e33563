# lib/part.mk: libraries for programs. A program says LIBS_name := libdeflate bearssl NAME in its part.mk.
#
#   build/lib/acpica.a    ACPICA without its debugger and disassembler, for sbin/acpid
#   build/lib/bearssl.a   hashes, MACs, DRBG and ChaCha20 of BearSSL, the constant-time C versions
#   build/lib/libdeflate.a  gzip's decompressor and CRC-32 of libdeflate
#   build/lib/libvterm.a  the parser and the state of libvterm
#   OUT/lib/NAME.a        our own: every folder lib/NAME
#   OUT/lib/rt.a          the run-time: abi/rt, the generated entries, the files of musl that
#                         abi/rt/part.mk names (MUSL_FILES, relative to musl's source)

-include abi/rt/part.mk
-include $(wildcard lib/*/part.mk)

# --- libdeflate ------------------------------------------------------------------------------------
# What it has for x86 uses vector registers, or asks which processor this is; without those headers it is portable C. FREESTANDING:
# memcpy of a word is a load, not a call. Its utils.c has an allocator to be set, and a memcpy to come before ours: left out.
DEFLATE_FILES := $(addprefix $(DEFLATE_SRC)/lib/,crc32.c deflate_decompress.c gzip_decompress.c)
DEFLATE_OBJS  := $(DEFLATE_FILES:build/src/%.c=build/lib/obj/%.o)
DEFLATE_FLAGS := -I$(DEFLATE_SRC) -DFREESTANDING -Dlibdeflate_malloc=malloc -Dlibdeflate_free=free \
	-DLIB_X86_CPU_FEATURES_H -DLIB_X86_DECOMPRESS_IMPL_H -DLIB_X86_CRC32_IMPL_H
$(DEFLATE_OBJS): LIB_FLAGS := $(DEFLATE_FLAGS) -w
build/lib/libdeflate.a: $(DEFLATE_OBJS)
CFLAGS_libdeflate := -isystem $(DEFLATE_SRC)

# --- BearSSL ---------------------------------------------------------------------------------------
# aes_x86ni*, chacha20_sse2, ghash_pclmul and *_pwr8 need registers or processors that we leave alone.
BEARSSL_FILES := $(filter-out %sse2.c %_x86ni.c %_x86ni_ctr.c %_x86ni_ctrcbc.c %_x86ni_cbcdec.c %_x86ni_cbcenc.c \
	%pclmul.c %_pwr8.c %_pwr8_ctr.c %_pwr8_ctrcbc.c %_pwr8_cbcdec.c %_pwr8_cbcenc.c %sysrng.c,\
	$(foreach d,hash mac rand symcipher codec kdf,$(wildcard $(BEARSSL_SRC)/src/$(d)/*.c)))
BEARSSL_OBJS  := $(BEARSSL_FILES:build/src/%.c=build/lib/obj/%.o)
$(BEARSSL_OBJS): LIB_FLAGS := -I$(BEARSSL_SRC)/inc -I$(BEARSSL_SRC)/src -w -DBR_AES_X86NI=0 -DBR_SSE2=0 \
	-DBR_RDRAND=0 -DBR_USE_UNIX_TIME=0 -DBR_USE_URANDOM=0 -DBR_USE_GETENTROPY=0 -DBR_INT128=1
build/lib/bearssl.a: $(BEARSSL_OBJS)
CFLAGS_bearssl := -isystem $(BEARSSL_SRC)/inc

# --- ACPICA ----------------------------------------------------------------------------------------
# Its headers expect a host system's acpi/platform/aclinux.h; ours is in sbin/acpid/port. Size counts more than speed: it is
# inflated at each boot.
ifdef VERSION_acpica
ACPICA_FILES := $(filter-out %/rsdump.c %/uttrack.c %/utprint.c %/nsdumpdv.c,$(filter-out $(ACPICA_SRC)/drivers/acpi/acpica/db%,\
	$(wildcard $(ACPICA_SRC)/drivers/acpi/acpica/*.c)))
ACPICA_OBJS  := $(ACPICA_FILES:build/src/%.c=build/lib/obj/%.o)
CFLAGS_acpica := -isystem sbin/acpid/port -isystem $(ACPICA_SRC)/include -D_LINUX
$(ACPICA_OBJS): LIB_FLAGS := -Isbin/acpid/port -I$(ACPICA_SRC)/include -I$(ACPICA_SRC)/drivers/acpi/acpica -D_LINUX -DBUILDING_ACPICA -Os -w
$(ACPICA_OBJS): $(wildcard sbin/acpid/port/*/*.h sbin/acpid/port/*/*/*.h)
build/lib/acpica.a: $(ACPICA_OBJS)
else ifneq ($(and $(NEED_BUILD),$(wildcard build/src/sources.mk)),)
$(warning ACPICA could not be fetched: sbin/acpid is left out of this build; `make setup` tries again)
endif

# --- libvterm --------------------------------------------------------------------------------------
# Its screen and its Unicode tables stay out: lib/term has cells of its own, and widths are lib/utf8's.
VTERM_FILES := $(addprefix $(VTERM_SRC)/src/,encoding.c keyboard.c mouse.c parser.c pen.c state.c vterm.c)
VTERM_OBJS  := $(VTERM_FILES:build/src/%.c=build/lib/obj/%.o)
$(VTERM_OBJS): LIB_FLAGS := -isystem $(VTERM_SRC)/include -isystem $(VTERM_SRC)/src -w
build/lib/libvterm.a: $(VTERM_OBJS)
# vterm_internal.h too: term_vt.c keeps libvterm's state.
CFLAGS_libvterm := -isystem $(VTERM_SRC)/include -isystem $(VTERM_SRC)/src

# This file has LIB_FLAGS.
build/lib/obj/%.o: build/src/%.c build/src/sources.mk build/flags.lib lib/part.mk
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(filter-out -DTEST_BUILD,$(USER_CFLAGS)) $(LIB_FLAGS) -c -o $@ $<

build/lib/%.a:
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcsD $@ $^

# --- ours ------------------------------------------------------------------------------------------
OWN_LIBS := $(foreach d,$(wildcard lib/*/),$(if $(call sources,$(d:/=)),$(notdir $(d:/=))))
define OWN_LIB
$(OUT)/lib/$(1).a: $(call objects,$(call sources,lib/$(1)))
	$$(call say,AR,$$@)
	$$(Q)mkdir -p $$(@D) && rm -f $$@ && $(AR) rcsD $$@ $$^
endef
$(foreach l,$(OWN_LIBS),$(eval $(call OWN_LIB,$(l))))

# $(call lib_files,bearssl usb): the archives of these libraries.
lib_files = $(foreach l,$(1),$(if $(filter libdeflate bearssl acpica libvterm,$(l)),build/lib/$(l).a,$(OUT)/lib/$(l).a))

# --- the run-time ----------------------------------------------------------------------------------
RT_OBJS := $(call objects,$(call sources,abi/rt))
GEN_RT_OBJS := $(GEN_RT:build/%.c=$(OUT)/obj/%.o)
MUSL_OBJS := $(patsubst %,$(OUT)/obj/musl/%.o,$(basename $(MUSL_FILES)))

$(OUT)/obj/gen/rt/%.o: build/gen/rt/%.c $(OUT)/flags.user
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(USER_CFLAGS) -MMD -MP -c -o $@ $<

$(OUT)/obj/musl/%.o: $(MUSL_SRC)/%.c build/src/sources.mk $(OUT)/flags.user
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(MUSL_CFLAGS) -c -o $@ $<

$(OUT)/obj/musl/%.o: $(MUSL_SRC)/%.s build/src/sources.mk $(OUT)/flags.user
	$(call say,AS,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(MUSL_CFLAGS) -c -o $@ $<

$(OUT)/lib/rt.a: $(RT_OBJS) $(GEN_RT_OBJS) $(MUSL_OBJS)
	$(call say,AR,$@)
	$(Q)mkdir -p $(@D) && rm -f $@ && $(AR) rcsD $@ $^
