/* What the process says when a page of a mapped file is gone. */
#ifndef PALI_GGML_FAULT_H
#define PALI_GGML_FAULT_H

/* Ends the process with this sentence on standard error, and code 1, when a page of a mapped file
 * cannot be read. The first call counts. */
void pali_explain_lost_page(const char *sentence);

#endif
