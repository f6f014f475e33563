LIBS_log := cli
