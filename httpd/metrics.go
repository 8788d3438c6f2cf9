package httpd

import (
	"net/http"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics is this server's own registry. Labels never come from clients: a dialect and a status only.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	logins   *prometheus.CounterVec
	handler  http.Handler
}

// newMetrics makes the registry:
//
//	shiplog_http_requests_total{dialect,code}  answered requests
//	shiplog_http_logins_total{outcome}         logins that were tried
//	shiplog_http_sessions                      live sessions
//	shiplog_http_waiters                       requests waiting for a container's state
//	shiplog_build_info{version,goversion}      always 1
//	go_*, process_*                            the process
//
// and what Options.Collectors brings.
func newMetrics(s *Server) (*metrics, error) {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "shiplog_http_requests_total",
			Help: "HTTP requests answered, by dialect and status."}, []string{"dialect", "code"}),
		logins: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "shiplog_http_logins_total",
			Help: "Logins tried, by outcome; refused ones of a source that guesses are not counted."}, []string{"outcome"}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{Name: "shiplog_build_info", Help: "Always 1; the labels tell the build.",
		ConstLabels: prometheus.Labels{"version": orDefault(s.opts.Version, "unknown"), "goversion": runtime.Version()}})
	build.Set(1)
	sessions := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "shiplog_http_sessions", Help: "Sessions that have not expired."},
		func() float64 { return float64(s.sessions.count()) })
	waiters := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "shiplog_http_waiters", Help: "Requests waiting for a container's state."},
		func() float64 { return float64(s.hub.count()) })
	all := append([]prometheus.Collector{m.requests, m.logins, build, sessions, waiters, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})}, s.opts.Collectors...)
	for _, c := range all {
		if err := m.registry.Register(c); err != nil {
			return nil, err
		}
	}
	m.handler = promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, ErrorHandling: promhttp.ContinueOnError})
	return m, nil
}
