// Package promtest lets a real Prometheus watch a running shiplog: scrape it, answer queries about it, and
// check the alerts and the dashboard of scripts/prometheus against the metrics that there are.
//
// It wants prometheus and promtool on the PATH, as scripts/test prometheus puts them there, and leaves
// itself out without them.
package promtest
