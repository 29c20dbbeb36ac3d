// This file: the log of the backend's own copy of ggml (scripts/gpu.sh explains why there are two).
// It writes warnings and errors to standard error and drops the rest; the program's copy keeps the
// same levels.
#include <stdio.h>

#include "ggml.h"

static void warn(enum ggml_log_level level, const char *text, void *unused) {
	static _Thread_local int kept; // whether this thread's last message was written: so are its continuations
	(void)unused;
	if (level != GGML_LOG_LEVEL_CONT) {
		kept = level == GGML_LOG_LEVEL_WARN || level == GGML_LOG_LEVEL_ERROR;
	}
	if (kept) {
		fputs(text, stderr);
	}
}

__attribute__((constructor)) static void install(void) { ggml_log_set(warn, NULL); }
