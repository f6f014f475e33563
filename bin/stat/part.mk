LIBS_stat := cli
