# initfsd unpacks with zlib; its host tests link this machine's.
LIBS_initfsd := zlib zfast supervise
HOST_LIBS_initfsd := -lz
