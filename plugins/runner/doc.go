// Package runner runs connector binaries as child processes that the host
// survives: it is the [runner.Runner] that the plugin library is given in place
// of its own.
//
// It owns the bytes that are executed ([Image]: verified and then executed from
// sealed memory, so that nothing can be swapped in between), the private folder
// for sockets ([Dir]), the clean environment, the process group and its end, and
// everything a child prints ([Log]). It knows no protocol: what is spoken over
// the socket, when to start and when to give up is package plugins' business.
//
// A child never sees the host's environment, terminal or working directory. It
// dies with the host: by the kernel's parent-death signal on Linux, and by the
// end of its standard input everywhere (variable [LifelineEnv] tells it to
// watch). Stopping it works without its help.
//
// A child can be confined before it runs: the runner starts the launcher of
// package sandbox, which becomes the program.
//
// Linux is the platform this is made for. Elsewhere on Unix a binary is executed
// from a private copy, and there is no parent-death signal.
package runner
