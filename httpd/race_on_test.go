//go:build race

package httpd

// fewer is by how much tests of thousands of requests are shortened: the race detector makes them many times as
// slow and finds what it finds in the first few hundred. All are sent without it.
const fewer = 8
