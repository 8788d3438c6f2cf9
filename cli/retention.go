package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/user"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"shiplog/format/prune"
)

// openPruner makes ready to remove what need not be kept. The writer and the seals must be open.
func (d *daemon) openPruner() (err error) {
	o := prune.Options{Policy: d.capture.keep.policy(), Logger: d.log}
	if d.seals != nil {
		o.Retire, o.Retired, o.Since = d.seals.Retire, d.seals.Retired, d.seals.RetiredSince
	}
	d.pruner, err = prune.Open(d.dir, d.writer, o)
	return err
}

// pruneRequest asks a running agent to remove segments. With no flag of its own it means the agent's.
type pruneRequest struct {
	Age        string `json:"keep_age,omitempty"`
	Bytes      string `json:"keep_bytes,omitempty"`
	Free       string `json:"keep_free,omitempty"`
	Least      string `json:"keep_at_least,omitempty"`
	TrustClock bool   `json:"trust_clock,omitempty"`
	DryRun     bool   `json:"dry_run,omitempty"`
}

// policy is what the request wants to be kept, or of the agent's own policy when it does not say.
func (r pruneRequest) policy(own prune.Policy) (prune.Policy, error) {
	k := keepFlags{r.Age, r.Bytes, r.Free, r.Least}
	err := errors.Join(isAge(k.age), isSize(k.bytes), isSpace(k.free), isLeast(k.least))
	p := k.policy()
	if !p.Keeps() {
		least := p.AtLeast
		if p = own; r.Least != "" {
			p.AtLeast = least
		}
	}
	p.TrustClock = r.TrustClock
	return p, err
}

// errNoRule says that a removal was asked for without anything to go by.
var errNoRule = errors.New("nothing says what to keep: give --keep-age, --keep-bytes or --keep-free, or set them in the configuration")

// pruneFor does what a program asks for over the socket.
func (d *daemon) pruneFor(ctx context.Context, body json.RawMessage, uid int) (any, error) {
	var ask pruneRequest
	if err := json.Unmarshal(body, &ask); err != nil {
		return nil, fmt.Errorf("prune: %w", err)
	}
	policy, err := ask.policy(d.pruner.Policy())
	switch {
	case err != nil:
		return nil, err
	case !policy.Keeps():
		return nil, errNoRule
	case ask.DryRun:
		return d.pruner.Plan(policy)
	}
	return d.pruner.Prune(ctx, policy, userName(uid))
}

// userName is the name of a user of this machine, or else the number.
func userName(uid int) string {
	id := strconv.Itoa(uid)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}

// retentionMetrics tell what was removed.
type retentionMetrics struct {
	pruner                                  *prune.Pruner
	segments, bytes, failures, last, doubts *prometheus.Desc
	failing, short                          *prometheus.Desc
}

func newRetentionMetrics(p *prune.Pruner) *retentionMetrics {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("shiplog_retention_"+name, help, nil, nil)
	}
	return &retentionMetrics{
		pruner:   p,
		segments: desc("removed_segments_total", "Segments removed because they need not be kept."),
		bytes:    desc("removed_bytes_total", "Bytes of these segments."),
		failures: desc("failures_total", "Times that old records could not be removed."),
		failing:  desc("failing", "1 while old records cannot be removed."),
		short:    desc("short", "1 while less of the disk is free than it should be, and nothing more may be removed now."),
		last:     desc("last_run_timestamp_seconds", "When it was last looked, without an error, whether something is to be removed; absent before."),
		doubts:   desc("clock_doubtful", "1 while nothing is removed for its age because the clock looks wrong."),
	}
}

// Describe implements prometheus.Collector.
func (m *retentionMetrics) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(m, ch) }

// Collect implements prometheus.Collector.
func (m *retentionMetrics) Collect(ch chan<- prometheus.Metric) {
	s := m.pruner.Stats()
	ch <- prometheus.MustNewConstMetric(m.segments, prometheus.CounterValue, float64(s.Segments))
	ch <- prometheus.MustNewConstMetric(m.bytes, prometheus.CounterValue, float64(s.Bytes))
	ch <- prometheus.MustNewConstMetric(m.failures, prometheus.CounterValue, float64(s.Failures))
	ch <- prometheus.MustNewConstMetric(m.failing, prometheus.GaugeValue, truth(s.Failing))
	ch <- prometheus.MustNewConstMetric(m.short, prometheus.GaugeValue, truth(s.Short))
	ch <- prometheus.MustNewConstMetric(m.doubts, prometheus.GaugeValue, truth(s.Doubt != ""))
	if !s.Last.IsZero() {
		ch <- prometheus.MustNewConstMetric(m.last, prometheus.GaugeValue, float64(s.Last.UnixNano())/1e9)
	}
}
