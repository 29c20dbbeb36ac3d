/* What the process says when a page of a mapped file is gone: the file was cut after it was mapped,
 * or its disk cannot be read. The system sends SIGBUS, in the middle of whatever reads the page. */
#include "fault.h"

#ifdef _WIN32

void pali_explain_lost_page(const char *sentence) { (void)sentence; }

#else

#include <signal.h>
#include <string.h>
#include <unistd.h>

static char text[512];
static size_t length;
static struct sigaction earlier; /* Go's: it prints all stacks */

static void lost_page(int number, siginfo_t *info, void *context) {
    if (info->si_code == BUS_ADRERR || info->si_code == BUS_OBJERR) {
        ssize_t written = write(STDERR_FILENO, text, length); /* one of the few calls that are safe here */
        (void)written;
        _exit(1);
    }
    if (earlier.sa_flags & SA_SIGINFO) {
        earlier.sa_sigaction(number, info, context);
    } else if (earlier.sa_handler != SIG_DFL && earlier.sa_handler != SIG_IGN) {
        earlier.sa_handler(number);
    } else { /* the instruction runs again, and ends the process */
        sigaction(number, &earlier, NULL);
    }
}

void pali_explain_lost_page(const char *sentence) {
    if (length > 0) {
        return;
    }
    strncpy(text, sentence, sizeof text - 1);
    length = strlen(text);
    struct sigaction ours;
    memset(&ours, 0, sizeof ours);
    ours.sa_sigaction = lost_page;
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK; /* Go's threads have small stacks */
    sigfillset(&ours.sa_mask);
    if (sigaction(SIGBUS, NULL, &earlier) == 0) {
        sigaction(SIGBUS, &ours, NULL);
    }
}

#endif
