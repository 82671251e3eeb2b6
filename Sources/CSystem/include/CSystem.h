#pragma once
// What the Glibc module does not give to Swift: variadic calls, macros, signal sets. No system
// headers here, so that nothing is declared twice.

int csystem_errno(void);
int csystem_open(const char *path, int flags, int mode);
void csystem_set_thread_name(const char *name);
// Adds to the calling thread's nice value (sched(7): on Linux it is a thread's own).
void csystem_step_back(int niceness);
void csystem_ignore_sigpipe(void);
// Blocks the signals for the process's threads started later and returns a descriptor that
// delivers them instead, or -1.
int csystem_signal_fd(const int *signals, int count);
// The next signal of such a descriptor, or 0.
int csystem_read_signal(int fd);
// Tells which names are moved into directories: inotify(7). NULL when the system has no more.
typedef struct csystem_watch csystem_watch;
csystem_watch *csystem_watch_open(void);
void csystem_watch_close(csystem_watch *watch);
// Readable when there are events.
int csystem_watch_descriptor(const csystem_watch *watch);
// Watches one more directory. Returns its number, the same for the same directory, or -1.
int csystem_watch_add(csystem_watch *watch, const char *directory);
void csystem_watch_remove(csystem_watch *watch, int directory);
enum { csystem_watch_none = 0, csystem_watch_moved = 1, csystem_watch_gone = 2, csystem_watch_lost = 3 };
// Takes the next event: `name` (valid until the next call) was moved into `directory`; `directory` is no longer
// watched; or events of any directory were lost.
int csystem_watch_next(csystem_watch *watch, int *directory, const char **name);
// Kernel release into `buffer`.
void csystem_kernel_release(char *buffer, int size);
// The soft limit of open files after raising it to the hard limit.
unsigned long csystem_raise_open_files(void);
// A pipe that does not block, of about `capacity` bytes when the system permits: ends[0] is read, ends[1] written.
// Returns its real capacity in bytes, or -errno.
long csystem_pipe(int ends[2], int capacity);
// Moves up to `count` bytes between a pipe and a socket inside the kernel, without waiting. Bytes moved, or -errno.
long csystem_splice(int from, int to, unsigned long count);
// How much the peer of a TCP socket has acknowledged in all, in bytes; returns 1 when something is not yet acknowledged. Of
// other sockets nothing is known: 0.
int csystem_delivery(int fd, unsigned long *acknowledged);
// What malloc has handed out, has taken from the kernel, and has free in between, in bytes.
void csystem_memory(unsigned long *allocated, unsigned long *heap, unsigned long *free_bytes);
