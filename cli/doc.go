// Package cli is the command line: it parses, wires the other packages together and prints.
//
//	shiplog run      writer + agent + index + server, one process
//	shiplog serve             index + server, on a live directory, a copy or a read-only mount
//	shiplog query    the files themselves: no server, no index, no lock
//
// Data goes to stdout, everything else to stderr. A flag wins over the environment (SHIPLOG_DATA for
// --data), which wins over the configuration file, which wins over the default. Exit status: 0 done, 1 failed, 2 wrong usage.
package cli
