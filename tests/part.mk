# tests/part.mk: every *_test.c beside the code is one program for this machine; it includes the C file it
# tests and is built with cmocka, ASan and UBSan. Every *_fuzz.c is a libFuzzer target with its corpus in
# tests/fuzz/corpus/NAME. Whole-machine tests are in tests/boot (pytest).

FUZZ_SECONDS ?= 5
SOAK_MINUTES ?= 60
export FUZZ_SECONDS SOAK_MINUTES

TEST_ROOMS  := $(wildcard abi kernel efiloader sbin bin lib tests tools)
HOST_TESTS  := $(filter-out $(if $(VERSION_acpica),,sbin/acpid/embedded_test.c),$(sort $(shell find $(TEST_ROOMS) -name '*_test.c')))
HOST_FUZZ   := $(sort $(shell find $(TEST_ROOMS) -name '*_fuzz.c'))
TEST_BINS   := $(HOST_TESTS:%.c=$(OUT)/host/%)
FUZZ_BINS   := $(HOST_FUZZ:%.c=$(OUT)/host/%)

HOST_CFLAGS := -std=gnu17 -O1 -g -Wall -Wextra -fno-omit-frame-pointer -fno-sanitize-recover=all \
	-DHOST_TEST -Iabi/include -Ibuild/gen/include -Ikernel/include -Ilib

$(OUT)/host/%_test: %_test.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(HOST_CFLAGS) -fsanitize=address,undefined $(HOST_CFLAGS_$(call room,$<)) \
		-MMD -MP -MF $@.d -o $@ $< -lcmocka $(HOST_LIBS_$(call room,$<))

$(OUT)/host/%_fuzz: %_fuzz.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(HOST_CFLAGS) -fsanitize=fuzzer,address,undefined $(HOST_CFLAGS_$(call room,$<)) \
		-MMD -MP -MF $@.d -o $@ $< $(HOST_LIBS_$(call room,$<))

# Programs for Linux, which tests/system/linuxrun runs unchanged: static, with musl.
MUSL_LIB := /usr/lib/x86_64-linux-musl
$(OUT)/foreign/%.linux: tests/foreign/%.c build/src/sources.mk
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) -target x86_64-linux-musl -std=gnu17 -O2 -Wall -Wextra -fno-stack-protector -nostdinc \
		-isystem $(CLANG_HEADERS) -isystem $(MUSL_HEADERS) -c -o $@.o $< && \
		$(LD) -static -s -z noexecstack --build-id=none -o $@ $(MUSL_LIB)/crt1.o $(MUSL_LIB)/crti.o $@.o $(MUSL_LIB)/libc.a $(MUSL_LIB)/crtn.o

check: $(TEST_BINS)
	@$(PYTHON) tools/runtests --host $(TEST_BINS) --boot tests/host

fuzz: $(FUZZ_BINS)
	@$(PYTHON) tools/runtests --fuzz $(FUZZ_BINS)

.PHONY: test-programs
test-programs: $(TEST_BINS) $(FUZZ_BINS)

# The machine tests boot all three builds; the recursive makes share this one's job slots.
test: all
	$(Q)$(if $(TEST),:,$(MAKE) --no-print-directory TEST=1 all)
	$(Q)$(if $(SAN),:,$(MAKE) --no-print-directory SAN=1 all)
	@FUZZ_SECONDS=$(if $(filter file,$(origin FUZZ_SECONDS)),3,$(FUZZ_SECONDS)) $(PYTHON) tools/runtests --make test-programs --host $(TEST_BINS) --fuzz $(FUZZ_BINS) --boot tests/host tests/boot

# The sanitized kernel, longer than in `make test`.
.PHONY: test-sanitized
test-sanitized:
	$(Q)$(if $(SAN),:,$(MAKE) --no-print-directory SAN=1 all)
	@$(PYTHON) tools/runtests --boot tests/sanitized

# The plugin runs in this machine's QEMU.
$(OUT)/bench/insncount.so: tests/bench/insncount.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && gcc -O2 -Wall -Wextra -shared -fPIC -fvisibility=hidden -o $@ $<

bench: all $(OUT)/bench/esp.img $(OUT)/bench/insncount.so
	@$(PYTHON) tests/bench/bench.py

# The picture in the README: a boot that a test has looked at, and some commands typed on the keyboard.
screenshot: all
	@SKERRY_SCREENSHOT=docs/screenshot.png $(PYTHON) -m pytest -p no:cacheprovider -q tests/boot/test_quiet.py -k name_and_prompt

.PHONY: plants
# Each planted bug must turn its test red (tests/plants.tsv).
plants:
	@$(PYTHON) tests/plants.py

soak: all
	$(Q)$(if $(TEST),:,$(MAKE) --no-print-directory TEST=1 all)
	@$(PYTHON) tools/runtests --boot tests/soak

# A stamp for each file: what has not changed, nor anything that it includes, is not looked at again. As tests are built, so
# that what only they have is seen too; `make -k lint` goes on after the first finding.
LINT_C       := $(filter-out %_test.c %_fuzz.c tests/bench/insncount.c tests/foreign/%,$(sort $(shell find $(TEST_ROOMS) -name '*.c')))
LINT_SCRIPTS := $(sort $(shell grep -lE '^\#!.*(python3|/bash|/sh)' tools/* 2>/dev/null; find tests tools -name '*.py'))
lint_flags    = $(if $(filter kernel/%,$(1)),$(KERNEL_CFLAGS) $(if $(filter kernel/debug/%,$(1)),-DSAN),$(if $(filter efiloader/%,$(1)),\
	$(LOADER_CFLAGS),$(USER_CFLAGS) $(CFLAGS_$(call room,$(1))))) -DTEST_BUILD
lint: $(LINT_C:%=build/lint/%.ok) build/lint/scripts.ok

build/lint/%.c.ok: %.c tools/lint
	$(call say,LINT,$<)
	$(Q)tools/lint $< $@ $(call lint_flags,$<)

build/lint/scripts.ok: $(LINT_SCRIPTS)
	$(call say,LINT,scripts)
	$(Q)tools/lint --scripts $@ $^

-include $(if $(wildcard build/lint),$(shell find build/lint -name '*.d'))

# Only the lines changed since the last commit: a table aligned by hand stays as it is.
format:
	git clang-format --quiet --extensions c,h HEAD
