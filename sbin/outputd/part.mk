LIBS_outputd := utf8
