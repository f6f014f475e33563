LIBS_svc := cli
