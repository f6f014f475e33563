# systest's fpu.c shows that programs may use vector registers; all else here is built as services are.
$(OUT)/obj/tests/system/systest/fpu.o: USER_CFLAGS := $(filter-out -mgeneral-regs-only,$(USER_CFLAGS)) -msse2
$(OUT)/obj/tests/system/systest/foreign.o: USER_CFLAGS := $(filter-out -mgeneral-regs-only,$(USER_CFLAGS)) -msse2
