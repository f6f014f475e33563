LIBS_head := cli
