package cli

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"time"

	"github.com/google/renameio/v2"

	"shiplog/format/seal"
)

const (
	verifySuccess  = "shiplog_verify_last_success_timestamp_seconds"
	verifyRun      = "shiplog_verify_last_run_timestamp_seconds"
	verifyFailures = "shiplog_verify_failures_total"
)

// writeVerifyMetrics writes the result of a verification to a file that the textfile collector reads, and carries on
// with what the run before left there. r is nil when nothing could be verified, which is a failure too.
func writeVerifyMetrics(file string, r *seal.Report, now time.Time) error {
	old, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	success, failures := metricValue(old, verifySuccess), metricValue(old, verifyFailures)
	if r != nil && r.Result == seal.ResultOK {
		success = float64(now.Unix())
	} else {
		failures++
	}
	var b bytes.Buffer
	metric := func(name, kind, help string, v float64) {
		fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s %s\n%s %s\n", name, help, name, kind, name, strconv.FormatFloat(v, 'f', -1, 64))
	}
	metric(verifyRun, "gauge", "When the log was verified last.", float64(now.Unix()))
	metric(verifySuccess, "gauge", "When it was last found to be what was written; 0: never.", success)
	metric(verifyFailures, "counter", "Verifications that found something else, or could not judge.", failures)
	return renameio.WriteFile(file, b.Bytes(), 0o644) // the collector is another user
}

// metricValue finds a metric in a file of them; 0 when it is not there.
func metricValue(text []byte, name string) float64 {
	m := regexp.MustCompile(fmt.Sprintf(`(?m)^%s ([0-9.e+]+)$`, name)).FindSubmatch(text)
	if m == nil {
		return 0
	}
	v, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		return 0
	}
	return v
}
