import { variableOf } from './config-sources.ts'

/** What `ioasidd --help` says after the flags: there is no other manual on a host. */
export const AFTER_FLAGS = `Each flag is also a variable, --data-dir is ${variableOf('data-dir')}, and a key of the file, data-dir. A
flag is stronger than its variable, which is stronger than the file. In a variable the items of a
list are separated by commas. Durations are 500ms, 5s, 10m, 1h; sizes 4096, 64MiB, 1GiB.

Standard output: a line "ready ADDRESS" for each listener when all of them serve. Logs go to
standard error. systemd is told by NOTIFY_SOCKET, its watchdog too (WATCHDOG_USEC).

Signals: TERM and INT drain, at most 5 s, a second one ends at once; HUP reads the file again;
USR1 writes the status to the log.

Exit codes: 0 stopped, 1 failed while running, 2 wrong flags, or flags that the data contradict.

Examples:
  ioasidd --listen unix:///run/ioasidd/ioasidd.sock --data-dir /var/lib/ioasidd
  ioasidd --listen 127.0.0.1:0 --store memory --capacity 1000
  ioasidd --listen fd://                  in a service with a socket unit`
