LIBS_rm := cli
