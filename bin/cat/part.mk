LIBS_cat := cli
