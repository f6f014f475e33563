LIBS_sleep := cli
