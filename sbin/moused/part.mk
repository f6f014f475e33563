LIBS_moused := stream
