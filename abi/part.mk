# abi/part.mk: what tools/abigen.py makes from the tables in abi/, under build/gen:
#
#   include/gen/*.h    numbers, records, dispatchers' headers
#   kernel/*.c         the kernel's dispatch
#   rt/*.c             the entries that programs call
#   docs/              pages about calls and operations
#
# files.mk lists the C files; make rereads itself once it is there.

ABI_TABLES := abi/syscalls.txt abi/errors.txt $(sort $(wildcard abi/proto/*.txt))
ABIGEN     := tools/abigen.py

ifneq ($(NEED_BUILD),)
include build/gen/files.mk
endif

build/gen/files.mk: $(ABIGEN) $(ABI_TABLES) abi/part.mk
	$(call say,GEN,build/gen)
	$(Q)rm -rf build/gen && mkdir -p build/gen/include/gen build/gen/kernel build/gen/rt build/gen/docs
	$(Q)$(PYTHON) $(ABIGEN) --out build/gen
	$(Q){ echo "GEN_KERNEL :=" build/gen/kernel/*.c; echo "GEN_RT :=" build/gen/rt/*.c; } | \
		sed 's|build/gen/[a-z]*/\*\.c||' >$@
