LIBS_ptytest := launch supervise
