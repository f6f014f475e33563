LIBS_kbd := stream
