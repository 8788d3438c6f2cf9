// Package format is the shape of a record and of the files that hold records.
//
//	DIR/log/00000000000000000001.jsonl   records 1 to 41199   sealed: never changes again
//	DIR/log/00000000000000041200.jsonl   records from 41200   active: the only file that grows
//
// One process writes a directory at a time; any number may read it, also a copy, also while it grows.
// A line that ends in a newline is never changed again.
package format
