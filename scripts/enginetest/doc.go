// Package enginetest holds shiplog against real engines. Its one test starts the built program beside a
// real dockerd and a real incusd, does things to containers, restarts everything once, and then compares
// three tellings of what happened:
//
//	what was done            the stories in docker_test.go and incus_test.go
//	what the engines said    their own streams, recorded beside shiplog (oracle_test.go)
//	what shiplog answers     its HTTP API under all three prefixes, and its files
//
// Nothing may be lost, nothing told twice, and every stretch in which an engine could not be seen must be
// named by a gap. scripts/test starts the engines (scripts/engines.sh up DIR; image DIR) and hands over
//
//	SHIPLOG_ENGINES=DIR      without it the test is skipped
//	SHIPLOG_BINARY=FILE      the program; without it the test builds one
package enginetest
