LIBS_put := cli
