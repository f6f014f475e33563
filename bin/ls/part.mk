LIBS_ls := cli
