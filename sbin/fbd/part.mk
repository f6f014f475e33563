LIBS_fbd := virtio
