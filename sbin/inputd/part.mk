LIBS_inputd := stream utf8
