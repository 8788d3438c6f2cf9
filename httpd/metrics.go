package httpd

import (
	"errors"
	"net/http"
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics is this server's own registry. Labels have few values and none that a client can make up: a dialect,
// a method of the known ones, a status.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	inFlight prometheus.Gauge
	logins   *prometheus.CounterVec
	failures *prometheus.CounterVec
	partial  prometheus.Counter
	handler  http.Handler
}

// newMetrics makes the registry:
//
//	shiplog_http_requests_total{dialect,method,code}      answered requests
//	shiplog_http_request_duration_seconds{dialect}        without those that wait or stream
//	shiplog_http_requests_in_flight                       begun and not answered
//	shiplog_http_logins_total{outcome}                    logins that were tried
//	shiplog_http_sessions                                 live sessions
//	shiplog_auth_failures_total{reason}                   requests refused for who sent them
//	shiplog_longpoll_waiters                              requests waiting for a container's state
//	shiplog_query_partial_total                           answers that damage made incomplete
//	shiplog_build_info{version,revision,goversion}        always 1
//	go_*, process_*                                       the process
//
// and what Options.Collectors brings. What Options.Gatherer has of another process is shown beside it.
func newMetrics(s *Server) (*metrics, error) {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: counters("shiplog_http_requests_total", "HTTP requests answered, by dialect, method and status.", "dialect", "method", "code"),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "shiplog_http_request_duration_seconds",
			Help:    "Time to answer a request; those that wait for a container or stream an export are left out.",
			Buckets: prometheus.DefBuckets, NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100,
			NativeHistogramMinResetDuration: time.Hour}, []string{"dialect"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{Name: "shiplog_http_requests_in_flight", Help: "HTTP requests that are being answered."}),
		logins: counters("shiplog_http_logins_total",
			"Logins tried, by outcome; refused ones of a source that guesses are not counted.", "outcome"),
		failures: counters("shiplog_auth_failures_total", "Requests refused for who sent them, by reason.", "reason"),
		partial: prometheus.NewCounter(prometheus.CounterOpts{Name: "shiplog_query_partial_total",
			Help: "Answers that lack records because lines of the log are damaged."}),
	}
	for _, reason := range []string{authCredentials, authMissing, authSecond, authThrottled, authToken} {
		m.failures.WithLabelValues(reason) // from 0, so that the first one is an increase
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{Name: "shiplog_build_info", Help: "Always 1; the labels tell the build.",
		ConstLabels: prometheus.Labels{"version": orDefault(s.opts.Version, "unknown"),
			"revision": orDefault(s.opts.Revision, "unknown"), "goversion": runtime.Version()}})
	build.Set(1)
	sessions := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "shiplog_http_sessions", Help: "Sessions that have not expired."},
		func() float64 { return float64(s.sessions.count()) })
	waiters := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "shiplog_longpoll_waiters", Help: "Requests waiting for a container's state."},
		func() float64 { return float64(s.hub.count()) })
	all := append([]prometheus.Collector{m.requests, m.duration, m.inFlight, m.logins, m.failures, m.partial, build, sessions, waiters,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})}, s.opts.Collectors...)
	for _, c := range all {
		if err := m.registry.Register(c); err != nil {
			return nil, err
		}
	}
	var gatherer prometheus.Gatherer = m.registry
	if s.opts.Gatherer != nil {
		gatherer = prometheus.Gatherers{m.registry, s.opts.Gatherer}
	}
	m.handler = promhttp.HandlerFor(gatherer, promhttp.HandlerOpts{MaxRequestsInFlight: 4,
		ErrorHandling: promhttp.ContinueOnError, EnableOpenMetrics: true})
	return m, nil
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

// began counts a request; done, called once, counts its answer. The newest id in a bucket of the histogram is shown
// beside it as an exemplar, to scrapers that ask for OpenMetrics; it is 64 bytes of a client's choice at most.
func (m *metrics) began(dialect, method, id string) (done func(code int, slow bool)) {
	start := time.Now()
	m.inFlight.Inc()
	return func(code int, slow bool) {
		m.inFlight.Dec()
		m.requests.WithLabelValues(dialect, countedMethod(method), strconv.Itoa(code)).Inc()
		if !slow {
			took := time.Since(start).Seconds()
			if o, ok := m.duration.WithLabelValues(dialect).(prometheus.ExemplarObserver); ok {
				o.ObserveWithExemplar(took, prometheus.Labels{"request_id": id})
			}
		}
	}
}

// countedMethod is the method when it is a known one: clients may send any word.
func countedMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "other"
}

// The reasons why a request was refused for who sent it.
const (
	authCredentials = "credentials"   // wrong name or password
	authMissing     = "no_credential" // none was sent
	authSecond      = "second_factor" // the account wants one, which cannot be asked for
	authThrottled   = "throttled"     // too many wrong ones before
	authToken       = "token"         // a session, token or signature that is not valid
)

// refused counts err, answered with status, when it is about who sent the request.
func (m *metrics) refused(r *http.Request, err error, status int) {
	reason := ""
	_, throttled := errors.AsType[tooManyFailures](err)
	switch {
	case throttled:
		reason = authThrottled
	case errors.Is(err, errCredentials):
		reason = authCredentials
	case errors.Is(err, errSecondFactor):
		reason = authSecond
	case errors.Is(err, errNoCredential):
		reason = authMissing
	case status == http.StatusUnauthorized && r.Header.Get("Cookie")+r.Header.Get("Authorization")+r.Header.Get("X-Auth-Token") == "":
		reason = authMissing
	case status == http.StatusUnauthorized:
		reason = authToken
	default:
		return
	}
	m.failures.WithLabelValues(reason).Inc()
}
