LIBS_ps := cli
