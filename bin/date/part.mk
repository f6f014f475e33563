LIBS_date := tz cli
