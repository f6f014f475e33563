LIBS_mkdir := cli
