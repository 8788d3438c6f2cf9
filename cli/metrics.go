package cli

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"shiplog/format"
)

// metrics turns the counters of writer, index and agent into Prometheus metrics when they are asked for.
// Labels are engines, reasons and words of closed lists: never a user or an id, which have no bound. Names of
// containers are in [containerMetrics] alone.
type metrics struct {
	d *daemon

	events, duplicates, filtered, undecodable, synthesized *prometheus.Desc
	connected, reconnects, gaps, lastEvent                 *prometheus.Desc
	dropped, queue, queueBytes, writeErrors                *prometheus.Desc

	records, bytes, writes, refused    *prometheus.Desc
	fsyncErrors, sealed, state         *prometheus.Desc
	segments, segmentBytes, lastSeq    *prometheus.Desc
	indexRecords, lag, damaged, memory *prometheus.Desc
	searches, setAside, pending        *prometheus.Desc
	lagSeconds, documents, free        *prometheus.Desc
	reloadGood, reloadTime             *prometheus.Desc
	tlsExpiry, tlsGood                 *prometheus.Desc
}

func newMetrics(d *daemon) *metrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("shiplog_"+name, help, labels, nil)
	}
	return &metrics{
		d:           d,
		events:      desc("capture_events_total", "Events received from the engine; duplicates of a replay are not counted.", "engine", "type", "action"),
		duplicates:  desc("capture_duplicate_events_total", "Events that came again in a replay and were not stored again.", "engine"),
		filtered:    desc("capture_filtered_events_total", "Executions of health checks, which are not stored.", "engine"),
		undecodable: desc("capture_undecodable_events_total", "Events that could not be decoded and were stored as text.", "engine"),
		synthesized: desc("capture_synthesized_events_total", "Events that were made by comparing the engine's state with the log.", "engine"),
		connected:   desc("capture_connected", "1 while the engine's events are received.", "engine"),
		reconnects:  desc("capture_reconnects_total", "Connections to the engine after the first one.", "engine"),
		gaps:        desc("capture_gaps_total", "Times in which events of the engine could not be seen, by reason.", "engine", "reason"),
		lastEvent:   desc("capture_last_event_timestamp_seconds", "Time of the newest event, by the engine's clock.", "engine"),
		dropped:     desc("capture_dropped_events_total", "Events that did not fit into the queue; a gap record counts them too.", "engine"),
		queue:       desc("capture_queue_events", "Events that wait to be written.", "engine"),
		queueBytes:  desc("capture_queue_bytes", "Size of the events that wait to be written.", "engine"),
		writeErrors: desc("capture_write_errors_total", "Failed attempts to write events.", "engine"),

		records:     desc("writer_records_total", "Records appended."),
		bytes:       desc("writer_bytes_total", "Bytes appended."),
		writes:      desc("writer_writes_total", "Write calls."),
		refused:     desc("writer_refused_records_total", "Records refused because the disk was full or could not be written."),
		fsyncErrors: desc("writer_fsync_errors_total", "Syncs that failed."),
		sealed:      desc("writer_sealed_segments_total", "Segments sealed."),
		state:       desc("writer_state", "1 for the state the writer is in: ok, full or read-only.", "state"),

		segments:     desc("segments", "Segments of the log."),
		segmentBytes: desc("segment_bytes", "Size of all segments of the log."),
		lastSeq:      desc("last_seq", "Number of the newest record that can be found."),
		indexRecords: desc("index_records", "Records in the segments that were looked at since start."),
		lag:          desc("index_lag_records", "Records of sealed segments that have no index on disk yet; they are found all the same, slower."),
		lagSeconds:   desc("index_lag_seconds", "Age of the oldest sealed segment that has no index on disk yet; 0 when there is none."),
		documents:    desc("index_documents", "Records that are in an index on disk, in the segments looked at since start."),
		free:         desc("disk_free_bytes", "Bytes free on the disk of the log."),
		reloadGood:   desc("config_last_reload_successful", "1 when the configuration was taken as it is, at the start or the last time it was read again."),
		reloadTime:   desc("config_last_reload_success_timestamp_seconds", "When the configuration was last taken."),
		tlsExpiry:    desc("tls_certificate_expiry_timestamp_seconds", "End of the TLS certificate in use."),
		tlsGood:      desc("tls_certificate_last_reload_successful", "1 when the TLS certificate in use is the one in its files."),
		pending:      desc("index_segments_pending", "Sealed segments that have no index on disk yet."),
		damaged:      desc("index_damaged_lines", "Lines of the segments looked at since start that are no records."),
		memory:       desc("index_memory_bytes", "Memory of the columns of sealed segments."),
		searches:     desc("index_searches_total", "Searches answered."),
		setAside:     desc("index_set_aside_total", "Times that a file of the index was not what it should be and was set aside."),
	}
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(m, ch) }

// Collect implements prometheus.Collector. A daemon without an index tells of capture and the writer alone.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	counter := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	m.capture(counter, gauge)
	m.writing(counter, gauge)
	if r := m.d.reload; r != nil {
		gauge(m.reloadGood, truth(r.good.Load()))
		gauge(m.reloadTime, float64(r.last.Load())/1e9)
	}
	if p := m.d.pair; p != nil {
		p.look()
		gauge(m.tlsExpiry, float64(p.expires().Unix()))
		gauge(m.tlsGood, truth(p.good.Load()))
	}
	if m.d.index != nil {
		m.indexed(counter, gauge)
	}
}

// put emits one value.
type put func(d *prometheus.Desc, v float64, labels ...string)

func (m *metrics) indexed(counter, gauge put) {
	s := m.d.index.Stats()
	gauge(m.segments, float64(s.Segments))
	gauge(m.segmentBytes, float64(s.Bytes))
	gauge(m.lastSeq, float64(s.LastSeq))
	gauge(m.indexRecords, float64(s.Records))
	gauge(m.lag, float64(s.LagRecords))
	gauge(m.documents, float64(s.Documents))
	lag := time.Duration(0)
	if !s.LagSince.IsZero() {
		lag = max(0, time.Since(s.LagSince))
	}
	gauge(m.lagSeconds, lag.Seconds())
	if free, err := format.FreeSpace(m.d.dir); err == nil {
		gauge(m.free, float64(free))
	}
	gauge(m.pending, float64(s.Pending))
	gauge(m.damaged, float64(s.Damaged))
	gauge(m.memory, float64(s.MemoryBytes))
	counter(m.searches, float64(s.Searches))
	counter(m.setAside, float64(s.SetAside))
}

func (m *metrics) capture(counter, gauge put) {
	if m.d.agent == nil {
		return
	}
	for _, s := range m.d.agent.Stats().Sources {
		engine := string(s.Engine)
		for k, n := range s.Kinds {
			counter(m.events, float64(n), engine, k.Type, k.Action)
		}
		counter(m.duplicates, float64(s.Duplicates), engine)
		counter(m.filtered, float64(s.Filtered), engine)
		counter(m.undecodable, float64(s.Undecodable), engine)
		counter(m.synthesized, float64(s.Synthesized), engine)
		counter(m.reconnects, float64(s.Reconnects), engine)
		counter(m.dropped, float64(s.Dropped), engine)
		counter(m.writeErrors, float64(s.WriteErrors), engine)
		for reason, n := range s.Gaps {
			counter(m.gaps, float64(n), engine, reason)
		}
		gauge(m.connected, truth(s.Connected), engine)
		gauge(m.queue, float64(s.Queue), engine)
		gauge(m.queueBytes, float64(s.QueueBytes), engine)
		if !s.LastEvent.IsZero() {
			gauge(m.lastEvent, float64(s.LastEvent.UnixNano())/1e9, engine)
		}
	}
}

func (m *metrics) writing(counter, gauge put) {
	if m.d.writer == nil {
		return
	}
	s := m.d.writer.Stats()
	counter(m.records, float64(s.Records))
	counter(m.bytes, float64(s.Bytes))
	counter(m.writes, float64(s.Writes))
	counter(m.refused, float64(s.Refused))
	counter(m.fsyncErrors, float64(s.SyncErrors))
	counter(m.sealed, float64(s.Sealed))
	for _, state := range []string{format.StateOK, format.StateFull, format.StateReadOnly} {
		gauge(m.state, truth(s.State == state), state)
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// timings are the histograms, which are told each value when it comes, unlike the counters above.
type timings struct{ delay, fsync prometheus.Histogram }

// newTimings makes histograms with buckets for scrapers of any age.
func newTimings() *timings {
	histogram := func(name, help string, buckets ...float64) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Name: "shiplog_" + name, Help: help, Buckets: buckets,
			NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100, NativeHistogramMinResetDuration: time.Hour})
	}
	return &timings{
		delay: histogram("capture_delay_seconds", "From an event, by the engine's clock, until it was written; its sync follows within --sync-interval.",
			.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 60, 600),
		fsync: histogram("writer_fsync_duration_seconds", "Time that a sync of the active segment took.",
			.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10),
	}
}

// collectors lists what the daemon measures.
func (d *daemon) collectors() []prometheus.Collector {
	all := []prometheus.Collector{newMetrics(d), newCheckpointMetrics(d.dir)}
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
	if d.containers != nil {
		all = append(all, d.containers)
	}
	return all
}

// synced and delayed take the values. Without timings nobody wants them.
func (t *timings) synced(took time.Duration) {
	if t != nil {
		t.fsync.Observe(took.Seconds())
	}
}

func (t *timings) delayed(d time.Duration) {
	if t != nil {
		t.delay.Observe(d.Seconds())
	}
}
