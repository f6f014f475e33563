LIBS_wc := cli
