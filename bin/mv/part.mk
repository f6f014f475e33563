LIBS_mv := cli
