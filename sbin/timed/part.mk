LIBS_timed := tz
