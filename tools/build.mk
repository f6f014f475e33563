# tools/build.mk: the tools, the flags and the rules that every room shares.
#
# OUT is where objects and images go; build/gen and build/src hold what both kinds of build share.
# Files whose number is known only after something ran (unpacked sources, generated code) are listed
# in small makefiles under build/, which make itself brings up to date before it does anything else.

MAKEFLAGS += --no-builtin-rules --no-builtin-variables
# As many jobs as there are processors; -jN says otherwise.
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc)
endif
.SUFFIXES:
.DELETE_ON_ERROR:
SHELL := /bin/sh

CC      := clang
LD      := ld.lld
AR      := llvm-ar
STRIP   := llvm-strip
PYTHON  := /usr/bin/python3
export PYTHON
export PYTHONDONTWRITEBYTECODE := 1

# make BUG=name: a test build with a planted bug (kernel/include/kernel/plant.h).
# make SAN=1: a test build whose kernel looks at every access, lock and undefined operation (kernel/debug/).
ifdef BUG
TEST := 1
OUT := build/bug/$(BUG)
else ifdef SAN
TEST := 1
OUT := build/san
else ifdef TEST
OUT := build/test
else
OUT := build
endif
export OUT

ifdef V
Q :=
say =
else
Q := @
say = @printf '  %-5s %s\n' '$(1)' '$(2)'
endif

# One moment for every time stamp inside the images, so that the same tree gives the same bytes.
SOURCE_DATE_EPOCH := $(shell git log -1 --format=%ct 2>/dev/null || echo 1735689600)
export SOURCE_DATE_EPOCH
export LC_ALL := C
export TZ := UTC0

# Targets that must work without any tool installed.
BARE_GOALS := clean help setup
NEED_BUILD := $(if $(MAKECMDGOALS),$(filter-out $(BARE_GOALS),$(MAKECMDGOALS)),all)

# What is missing gets installed, and the source packages are unpacked to build/src; sources.mk says
# which versions came. Its age is the only stamp: a later make costs nothing.
MUSL_SRC    := build/src/musl
DEFLATE_SRC := build/src/libdeflate
BEARSSL_SRC := build/src/bearssl
ACPICA_SRC  := build/src/acpica
VTERM_SRC   := build/src/libvterm
ifneq ($(NEED_BUILD),)
include build/src/sources.mk
build/src/sources.mk: tools/setup
	$(Q)tools/setup
# Whatever else is generated first needs the tools too: Python for a start.
build/gen/files.mk: | build/src/sources.mk
endif

# --- flags -----------------------------------------------------------------------------------------

CLANG_HEADERS := $(shell $(CC) -print-resource-dir 2>/dev/null)/include
MUSL_HEADERS  := /usr/include/x86_64-linux-musl

COMMON_FLAGS := -std=gnu17 -O2 -g -Wall -Wextra -Wshadow -ffreestanding -fvisibility=hidden \
	-mgeneral-regs-only -fno-stack-protector -ffile-prefix-map=$(CURDIR)=. -fdebug-compilation-dir=. \
	-target x86_64-unknown-none-elf $(if $(TEST),-DTEST_BUILD)

# Frame pointers: a panic walks them. The red zone would be trampled by interrupts.
KERNEL_CFLAGS := $(COMMON_FLAGS) $(if $(BUG),-DPLANT_$(BUG)=1) -fPIE -mcmodel=small -mno-red-zone -fno-omit-frame-pointer -momit-leaf-frame-pointer -flto \
	-fno-asynchronous-unwind-tables -nostdinc -isystem $(CLANG_HEADERS) \
	-Ikernel/include -Iabi/include -Ibuild/gen/include

ifdef SAN
# KASAN is only known for this target; without -flto, which would inline over the borders of files with and without it.
KERNEL_CFLAGS := $(filter-out -flto,$(KERNEL_CFLAGS)) -target x86_64-linux-gnu -DSAN -fstack-protector-strong \
	-mstack-protector-guard=global -fsanitize=undefined
KASAN_CFLAGS := -fsanitize=kernel-address $(addprefix -mllvm ,-asan-mapping-offset=0xdffffc0000000000 \
	-asan-instrumentation-with-call-threshold=0 -asan-stack=0 -asan-globals=1)
# What is asked itself, what looks at memory that is gone, and what must work when nothing else does.
KASAN_NOT := kernel/debug/% kernel/mm/slab.c kernel/panic.c
endif

# No vector registers in services: a switch between them then moves no vector state.
USER_BASE   := $(COMMON_FLAGS) -fPIE -fno-omit-frame-pointer -momit-leaf-frame-pointer -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables
USER_CFLAGS := $(USER_BASE) -nostdinc -isystem $(CLANG_HEADERS) -Iabi/include -Ibuild/gen/include \
	-Ilib -isystem $(MUSL_HEADERS)
USER_LDFLAGS := -pie -static --no-dynamic-linker -z noexecstack -z max-page-size=4096 -z separate-code \
	--gc-sections -z norelro -z rodynamic --build-id=none -e _start

# musl's own files, compiled the way its Makefile does, into our run-time.
MUSL_CFLAGS := $(filter-out -std=gnu17 -Wall -Wextra -Wshadow,$(USER_BASE)) -std=gnu99 -w -nostdinc \
	-D_XOPEN_SOURCE=700 -I$(MUSL_SRC)/arch/x86_64 -I$(MUSL_SRC)/arch/generic -I$(MUSL_SRC)/src/include \
	-I$(MUSL_SRC)/src/internal -I$(MUSL_SRC)/include -isystem $(CLANG_HEADERS) -isystem $(MUSL_HEADERS)

# A change of flags rebuilds what they concern: $(eval $(call flags_file,FILE,FLAGS)) writes them when they differ.
define flags_file
ifneq ($$(strip $$(file <$(1))),$$(strip $(2)))
$$(file >$(1),$(2))
endif
endef
ifneq ($(NEED_BUILD),)
$(shell mkdir -p $(OUT))
$(eval $(call flags_file,$(OUT)/flags.kernel,$(KERNEL_CFLAGS) $(KASAN_CFLAGS)))
$(eval $(call flags_file,$(OUT)/flags.user,$(USER_CFLAGS) $(MUSL_CFLAGS)))
# A commit is another moment.
$(eval $(call flags_file,$(OUT)/epoch,$(SOURCE_DATE_EPOCH)))
$(eval $(call flags_file,build/flags.lib,$(filter-out -DTEST_BUILD,$(USER_CFLAGS))))
endif

# --- rules -----------------------------------------------------------------------------------------

# $(call sources,DIR): its C and assembly files, without tests and fuzz targets.
sources = $(filter-out %_test.c %_fuzz.c,$(wildcard $(1)/*.c $(1)/*.S))
# $(call objects,FILES): where their objects go.
objects = $(patsubst %,$(OUT)/obj/%.o,$(basename $(1)))
# The room of a source file: sbin/rngd/main.c -> rngd. CFLAGS_rngd and the like apply to it.
room = $(word 2,$(subst /, ,$(1)))

$(OUT)/obj/%.o: %.c $(OUT)/flags.user
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(USER_CFLAGS) $(CFLAGS_$(call room,$<)) -MMD -MP -c -o $@ $<

$(OUT)/obj/%.o: %.S $(OUT)/flags.user
	$(call say,AS,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(USER_CFLAGS) -MMD -MP -c -o $@ $<

# Header dependencies of everything that was ever compiled here.
-include $(foreach room,$(wildcard $(OUT)/obj $(OUT)/host),$(shell find $(room) -name '*.d'))
