LIBS_screenful := term font libvterm utf8
