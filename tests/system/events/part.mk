LIBS_events := cli
