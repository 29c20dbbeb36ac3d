// This file: what the program and this copy of ggml tell each other (scripts/gpu.sh explains why
// there are two).
#include <stdio.h>

#include "ggml.h"

// pali_gpu_version is the version of the Go module that this was built from. The program compares
// it with its own.
const char *pali_gpu_version = PALI_GPU_VERSION;

// pali_gpu_use sends the log to the program, and has it called before ggml aborts. The program calls
// it before it asks for the backend.
void pali_gpu_use(ggml_log_callback log, ggml_abort_callback_t give_up) {
	ggml_log_set(log, NULL);
	ggml_set_abort_callback(give_up);
}

// Without such a program warnings and errors go to standard error, and the rest is dropped.
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
