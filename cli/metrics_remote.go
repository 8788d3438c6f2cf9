package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/encoding/protodelim"

	"shiplog/agent"
)

const (
	remotePrefix = "shiplog_agent_" // of what an agent measures of its own process: go_ and process_ are the server's
	maxFamily    = 1 << 20          // bytes of one family
	maxFamilies  = 1000
	maxMetrics   = 2 << 20 // bytes of all; in base64 they fit into an answer of the socket
)

// ownMetrics returns what gives the metrics of capture, of the writer and of this process to a server in another one:
// families in protobuf, each after its length, since the text formats have no native histograms.
func (d *daemon) ownMetrics() (func() ([]byte, error), error) {
	registry := prometheus.NewRegistry()
	own := newMetrics(&daemon{dir: d.dir, agent: d.agent, writer: d.writer})
	all := []prometheus.Collector{own}
	if d.pruner != nil {
		all = append(all, newRetentionMetrics(d.pruner))
	}
	if d.compressor != nil {
		all = append(all, newCompressMetrics(d.compressor))
	}
	if d.seals != nil {
		all = append(all, newSealMetrics(d.seals))
	}
	if d.timings != nil {
		all = append(all, d.timings.delay, d.timings.fsync)
	}
	process := prometheus.WrapRegistererWithPrefix(remotePrefix, registry)
	err := process.Register(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, c := range all {
		err = errors.Join(err, registry.Register(c))
	}
	if err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	return func() ([]byte, error) {
		families, err := registry.Gather()
		if err != nil {
			return nil, err
		}
		var b bytes.Buffer
		for _, f := range families {
			if _, err := protodelim.MarshalTo(&b, f); err != nil {
				return nil, err
			}
		}
		if b.Len() > maxMetrics {
			return nil, fmt.Errorf("they have %d bytes; the limit is %d", b.Len(), maxMetrics)
		}
		return b.Bytes(), nil
	}, nil
}

// remoteMetrics shows the metrics of the agent in another process; nil without one.
func (d *daemon) remoteMetrics() prometheus.Gatherer {
	if d.remote == nil {
		return nil
	}
	return &remoteMetrics{remote: d.remote, logger: d.log}
}

// remoteMetrics asks an agent at each scrape. Whatever becomes of that, the scrape goes on, and shiplog_agent_up says it.
type remoteMetrics struct {
	remote *agent.Remote
	logger *slog.Logger
	silent atomic.Bool // it was logged that the metrics cannot be had
}

// Gather implements prometheus.Gatherer.
func (m *remoteMetrics) Gather() ([]*dto.MetricFamily, error) {
	ctx, cancel := context.WithTimeout(context.Background(), readyLimit)
	defer cancel()
	b, err := m.remote.Metrics(ctx)
	old := errors.Is(err, agent.ErrOldAgent)
	var families []*dto.MetricFamily
	if err == nil {
		families, err = readFamilies(b)
	}
	up := prometheus.NewGauge(prometheus.GaugeOpts{Name: remotePrefix + "up", Help: "1 while the agent in another process answers."})
	up.Set(truth(err == nil || old))
	if failed := err != nil; m.silent.Swap(failed) != failed && failed {
		m.logger.Warn("no metrics of the agent", "socket", m.remote.Path, "err", err)
	}
	registry := prometheus.NewRegistry()
	if err := registry.Register(up); err != nil {
		return nil, err
	}
	own, err := registry.Gather()
	return append(own, families...), err
}

// readFamilies reads what ownMetrics made. Families that an agent has no business with are left out: nobody who
// serves a socket may speak for the server.
func readFamilies(b []byte) ([]*dto.MetricFamily, error) {
	if len(b) > maxMetrics {
		return nil, fmt.Errorf("metrics of the agent have %d bytes; the limit is %d", len(b), maxMetrics)
	}
	var families []*dto.MetricFamily
	in := bufio.NewReader(bytes.NewReader(b))
	for n := 0; ; n++ {
		f := new(dto.MetricFamily)
		err := protodelim.UnmarshalOptions{MaxSize: maxFamily}.UnmarshalFrom(in, f)
		if err == io.EOF {
			return families, nil
		}
		if err == nil && n == maxFamilies {
			err = fmt.Errorf("more than %d families", maxFamilies)
		}
		if err != nil {
			return nil, fmt.Errorf("metrics of the agent not understood: %w", err)
		}
		name := f.GetName()
		for _, prefix := range []string{"shiplog_capture_", "shiplog_writer_", "shiplog_retention_", "shiplog_seal_", "shiplog_compression_", remotePrefix + "process_"} {
			if strings.HasPrefix(name, prefix) {
				families = append(families, f)
			}
		}
	}
}
