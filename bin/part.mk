# bin/part.mk: programs. Every folder sbin/NAME or bin/NAME that holds C files is one static PIE:
# OUT/user/NAME with symbols, OUT/strip/NAME as it is installed. NAME/part.mk may set
#
#   LIBS_NAME   := bearssl    libraries to link (lib/part.mk)
#   CFLAGS_NAME := -DX=1      flags for its files
#
# tests/system/NAME and tests/bench/NAME are programs too; the images of tests and of make bench have them as
# bin/NAME.

-include $(wildcard sbin/*/part.mk bin/*/part.mk tests/system/*/part.mk tests/bench/*/part.mk)

# lib/part.mk has said it where a source is missing.
PROGRAM_DIRS := $(filter-out $(if $(VERSION_acpica),,sbin/acpid),$(sort $(foreach d,$(wildcard sbin/*/ bin/*/ tests/system/*/ tests/bench/*/),$(if $(call sources,$(d:/=)),$(d:/=)))))
SBIN_PROGRAMS := $(notdir $(filter sbin/%,$(PROGRAM_DIRS)))
BIN_PROGRAMS  := $(notdir $(filter bin/%,$(PROGRAM_DIRS)))
TEST_PROGRAMS := $(notdir $(filter tests/%,$(PROGRAM_DIRS)))

# $(1): folder, $(2): name
define PROGRAM
CFLAGS_$(2) += $(foreach l,$(LIBS_$(2)),$(CFLAGS_$(l)))
OBJS_$(2) := $(call objects,$(call sources,$(1)))
$(OUT)/user/$(2): $$(OBJS_$(2)) $(call lib_files,$(LIBS_$(2))) $(OUT)/lib/rt.a
	$$(call say,LD,$$@)
	$$(Q)mkdir -p $$(@D) && $(LD) $(USER_LDFLAGS) -o $$@ $$(OBJS_$(2)) \
		--start-group $(call lib_files,$(LIBS_$(2))) $(OUT)/lib/rt.a --end-group
endef
$(foreach d,$(PROGRAM_DIRS),$(eval $(call PROGRAM,$(d),$(notdir $(d)))))

$(OUT)/strip/%: $(OUT)/user/% tools/mknames.py
	$(Q)mkdir -p $(@D) && $(STRIP) --strip-all -o $@ $< && $(PYTHON) tools/mknames.py $< $@
