LIBS_cp := cli
