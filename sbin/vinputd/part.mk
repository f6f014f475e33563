LIBS_vinputd := stream virtio
