package cli

import (
	"cmp"
	"context"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"shiplog/agent"
	"shiplog/format"
	"shiplog/index"
)

const (
	maxContainerMetrics = 1000    // names that --container-metrics allows
	nameScan            = 200_000 // newest events looked at for the names to count
)

// containerMetrics counts what happened to containers by their names. It reads the log from its beginning and
// then follows it, so the counts are those of the log, also after a restart. Until it has caught up nothing is
// told: a counter that climbs while it is made would look like a storm.
type containerMetrics struct {
	index  *index.Index
	max    int // names; the rest is counted as "other"
	logger *slog.Logger

	events, restarts, ooms, exit *prometheus.Desc

	mu    sync.Mutex
	ready bool                              // guarded by mu, as all below: the log was read to its end once
	names map[containerName]*containerTally // at most max, and one "other" for each engine
}

// containerName is a container as people know it. Engines may use one name each.
type containerName struct{ engine, name string }

// containerTally is what happened to the containers of one name.
type containerTally struct {
	events         map[string]uint64 // by action, of the closed list
	restarts, ooms uint64
	ended          bool // and not started, made or removed since
	exit           float64
	exited         bool // exit is known
}

func newContainerMetrics(d *daemon, limit int) *containerMetrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("shiplog_container_"+name, help, append([]string{"engine", "name"}, labels...), nil)
	}
	return &containerMetrics{index: d.index, max: limit, logger: d.log, names: map[containerName]*containerTally{},
		events:   desc("events_total", "Events of the log that are about containers of this name.", "action"),
		restarts: desc("restarts_total", "Starts after an end of the same container, whoever asked for them."),
		ooms:     desc("oom_kills_total", "Times that the kernel killed for want of memory."),
		exit:     desc("last_exit_code", "Code with which the container ended last."),
	}
}

// run reads the log and follows it until ctx ends.
func (c *containerMetrics) run(ctx context.Context) error {
	c.choose(ctx)
	var after uint64
	for {
		last, err := c.index.Wait(ctx, after)
		if err == nil {
			after, err = c.count(ctx, after, last)
		}
		if ctx.Err() != nil {
			return nil
		}
		if err == nil {
			continue
		}
		c.logger.Error("metrics of containers cannot follow the log", "err", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(5 * time.Second):
		}
	}
}

// query wants what engines said of containers.
func (c *containerMetrics) query() index.Query {
	return index.Query{Stream: format.StreamEvent, Facets: func(f *index.Facets) bool {
		return f.ObjType == "container" && f.ActorType == format.ActorEngine && strings.HasPrefix(f.Action, "container.")
	}}
}

// choose takes the names that were in use last: those of an old log's beginning are mostly gone.
func (c *containerMetrics) choose(ctx context.Context) {
	q, seen := c.query(), 0
	for f, err := range c.index.Each(ctx, q) {
		if err != nil {
			return // count will say why
		}
		c.mu.Lock()
		c.tally(f)
		full := len(c.names) >= c.max
		c.mu.Unlock()
		if seen++; full || seen >= nameScan {
			return
		}
	}
}

// count counts the events above after, up to last, and returns up to where it came.
func (c *containerMetrics) count(ctx context.Context, after, last uint64) (uint64, error) {
	q := c.query()
	q.After, q.Before, q.Ascending = after, last+1, true
	for f, err := range c.index.Each(ctx, q) {
		if err != nil {
			return after, err
		}
		c.mu.Lock()
		c.tally(f).see(f)
		c.mu.Unlock()
		after = f.Seq
	}
	c.mu.Lock()
	c.ready = true
	c.mu.Unlock()
	return last, nil
}

// tally returns where f is counted. Called with mu held.
func (c *containerMetrics) tally(f *format.Fields) *containerTally {
	key := containerName{string(f.Engine), cmp.Or(f.ObjName.String(), agent.Other)}
	t, ok := c.names[key]
	if !ok && len(c.names) >= c.max {
		key.name = agent.Other
		t, ok = c.names[key]
	}
	if !ok {
		t = &containerTally{events: map[string]uint64{}}
		c.names[key] = t
	}
	return t
}

func (t *containerTally) see(f *format.Fields) {
	action := strings.TrimPrefix(f.Action.String(), "container.")
	t.events[agent.CountedAction(action)]++
	switch action {
	case "die", "stop", "shutdown":
		t.ended = true
		if code, err := strconv.ParseUint(f.Code.String(), 10, 32); err == nil {
			t.exit, t.exited = float64(code), true
		}
	case "start":
		if t.ended {
			t.restarts++
		}
		t.ended = false
	case "create", "destroy":
		t.ended = false // another container of the same name
	case "oom":
		t.ooms++
	}
}

// Describe implements prometheus.Collector.
func (c *containerMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.events, c.restarts, c.ooms, c.exit} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *containerMetrics) Collect(ch chan<- prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ready {
		return
	}
	for key, t := range c.names {
		emit := func(d *prometheus.Desc, kind prometheus.ValueType, v float64, more ...string) {
			ch <- prometheus.MustNewConstMetric(d, kind, v, append([]string{key.engine, strings.ToValidUTF8(key.name, "\uFFFD")}, more...)...)
		}
		for action, n := range t.events {
			emit(c.events, prometheus.CounterValue, float64(n), action)
		}
		emit(c.restarts, prometheus.CounterValue, float64(t.restarts))
		emit(c.ooms, prometheus.CounterValue, float64(t.ooms))
		if t.exited && key.name != agent.Other {
			emit(c.exit, prometheus.GaugeValue, t.exit)
		}
	}
}
