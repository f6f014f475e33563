LIBS_trace := cli launch tracing supervise
