LIBS_fbd := pci virtio
# What runs seldom is to be small: all of it is inflated at each boot.
$(addprefix $(OUT)/obj/sbin/fbd/,find.o gpu.o modes.o output.o wire.o): CFLAGS_fbd := -Os
CFLAGS_virtio := -Os
