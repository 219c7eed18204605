/*
 * Delays fsync and fdatasync by FSYNC_MS milliseconds, and for as long as there is a file FSYNC_HANGS:
 * LD_PRELOAD makes a fast disk a slow one, or one that hangs.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static void wait_ms(long ms) {
  struct timespec time = {ms / 1000, ms % 1000 * 1000000};
  nanosleep(&time, NULL);
}

static void delay(void) {
  const char *ms = getenv("FSYNC_MS");
  const char *hangs = getenv("FSYNC_HANGS");
  wait_ms(ms ? atol(ms) : 0);
  while (hangs && access(hangs, F_OK) == 0) wait_ms(10);
}

int fsync(int fd) {
  static int (*real)(int);
  if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
  delay();
  return real(fd);
}

int fdatasync(int fd) {
  static int (*real)(int);
  if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  delay();
  return real(fd);
}
