/* cage ARGV...: run a program so that its whole tree stays below us.
 *
 * We are a child subreaper, so daemons and orphans are re-parented to us and
 * a walk over parent pids always finds them.  On SIGTERM (or when the harness
 * dies) we SIGKILL our children until none is left, then exit.  Prints the
 * child's pid.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

static void kill_tree(void) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
    for (;;) {
        FILE *f = fopen(path, "r");
        int pid, any = 0;
        while (f && fscanf(f, "%d", &pid) == 1) { kill(pid, SIGKILL); any = 1; }
        if (f) fclose(f);
        if (waitpid(-1, NULL, any ? 0 : WNOHANG) < 0 && errno == ECHILD) _exit(0);
    }
}

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    prctl(PR_SET_PDEATHSIG, SIGTERM);

    pid_t child = fork();
    if (child == 0) {
        setsid();
        dup2(2, 1);                               /* fd 1 is where the pid goes */
        sigprocmask(SIG_UNBLOCK, &set, NULL);
        execvp(argv[1], argv + 1);
        _exit(127);
    }
    printf("%d\n", child);
    fflush(stdout);
    close(1);

    int signals = signalfd(-1, &set, SFD_CLOEXEC);
    for (;;) {
        struct signalfd_siginfo si;
        if (read(signals, &si, sizeof si) != sizeof si) continue;
        if (si.ssi_signo == SIGTERM) kill_tree();
        while (waitpid(-1, NULL, WNOHANG) > 0) {}
    }
}
