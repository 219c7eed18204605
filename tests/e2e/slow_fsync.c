/*
 * Delays fsync and fdatasync of a journal's files by FSYNC_MS milliseconds, and for as long as there is
 * a file FSYNC_HANGS: LD_PRELOAD makes a fast disk a slow one, or one that hangs. Other files are left
 * alone: Deno syncs its own caches on the main thread.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void wait_ms(long ms) {
  struct timespec time = {ms / 1000, ms % 1000 * 1000000};
  nanosleep(&time, NULL);
}

static int is_of_journal(int fd) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return strstr(path, "journal") != NULL;
}

static void delay(int fd) {
  if (!is_of_journal(fd)) return;
  const char *ms = getenv("FSYNC_MS");
  const char *hangs = getenv("FSYNC_HANGS");
  wait_ms(ms ? atol(ms) : 0);
  while (hangs && access(hangs, F_OK) == 0) wait_ms(10);
}

int fsync(int fd) {
  static int (*real)(int);
  if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
  delay(fd);
  return real(fd);
}

int fdatasync(int fd) {
  static int (*real)(int);
  if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  delay(fd);
  return real(fd);
}
