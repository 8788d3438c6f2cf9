// Package httpd speaks: it answers over HTTP in the dialects of other vendors' log APIs.
//
//	request -> limits, host, origin -> dialect by prefix -> route -> session -> Query -> index -> the dialect's JSON
//	                                                                 |
//	                                                   wait hub <- follows the index while somebody waits
//
// A dialect is one table of routes and one shape of error. It asks the index by Query and renders what comes
// back; it knows nothing of segments, columns or other dialects. What changes the store goes through
// Options.Append, what is true of a container right now comes from Options.Inspect. Nothing else is written,
// but for the accounts file, the key of page tokens and the jobs and files of exports.
package httpd
