LIBS_hexdump := cli
