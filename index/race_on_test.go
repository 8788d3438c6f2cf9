//go:build race

package index

// fewer is by how much random tests are shortened: the race detector makes them ten times as slow, and finds
// what it finds in the first few hundred queries. All of them run without it.
const fewer = 8
