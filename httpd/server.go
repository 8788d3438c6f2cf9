package httpd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"shiplog/format"
	"shiplog/index"
)

// Options is what a server works with. Index and Accounts are required.
type Options struct {
	Index    *index.Index
	Accounts *Accounts

	// Append writes records and returns when they are safe. nil makes the server read-only: routes that
	// write answer 405 and logins leave no record. format.ErrAgentDown says that whoever writes is away; as in
	// Inspect and List, the answer is a 503 then.
	Append func(ctx context.Context, recs ...*format.Record) error
	// Inspect tells the live state of a container; typ is docker or lxc. nil: inquiries answer 503.
	Inspect func(ctx context.Context, typ, id string) (format.Container, error)
	// List tells the live state of all containers. nil: the list answers 503.
	List func(ctx context.Context) ([]format.Container, error)
	// Checkpoint returns what GET /checkpoint answers: a signed note about the log, for who keeps it elsewhere.
	// An error answers 404, as nil does.
	Checkpoint func() ([]byte, error)
	// Ready gives further reasons why answers are not complete yet; nil: none.
	Ready func() []string

	// Keys is the directory of the keys that page tokens are sealed with; it is made when it is not there. "": a
	// key that lives as long as this Server, and the tokens given out with it.
	Keys string

	// Exports is the directory of the jobs that POST exportlogs queues, and of their files; it is made when the
	// first job comes. "": such requests are refused.
	Exports string
	// ClaimExports makes Exports this process's own, or tells in an error why it is another one's. It is asked again,
	// from time to time and when an export is asked for, until it succeeds. nil: Exports is this process's.
	ClaimExports func() error

	// Certificate gives the certificate of a connection: listeners speak TLS then, 1.2 or later. nil: plain http.
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)

	Settings // what the server begins with; Server.Apply changes them

	Collectors        []prometheus.Collector // more metrics
	Gatherer          prometheus.Gatherer    // metrics of another process, gathered at each request for them; nil: none
	Version, Revision string                 // for the metric shiplog_build_info
	Logger            *slog.Logger           // default slog.Default()
	Now               func() time.Time       // default time.Now

	limits limits // tests make them smaller; zero: the defaults
}

// maxInspects bounds the inquiries that run at one time: an engine's daemon has other things to do.
const maxInspects = 16

// limits are what one client can take of the server.
type limits struct {
	readHeader, read, idle time.Duration
	answer                 time.Duration // for finding an answer
	write                  time.Duration // for sending one, or one chunk of a streamed one
	delay                  time.Duration // before the first answer to a wrong password that is held back
	shutdown               time.Duration // for requests in flight when the server ends
	connections            int
	body, query            int64 // bytes
	waiters                int
	searches, queue        int           // heavy searches at one time, and those that wait for their turn
	turn                   time.Duration // for a turn to come
	belt                   time.Duration // a waiter looks at its container at least this often
	callback, mail         time.Duration // for one try to tell of an export
	resolver               *net.Resolver // of callback hosts
}

func (l limits) withDefaults() limits {
	d := limits{readHeader: 5 * time.Second, read: 30 * time.Second, idle: time.Minute, answer: 30 * time.Second, write: 30 * time.Second,
		delay:    250 * time.Millisecond,
		shutdown: 8 * time.Second, connections: 512, body: 1 << 20, query: 16 << 10, waiters: 256, belt: 5 * time.Second}
	l.readHeader, l.read, l.idle = orDefault(l.readHeader, d.readHeader), orDefault(l.read, d.read), orDefault(l.idle, d.idle)
	l.answer, l.delay = orDefault(l.answer, d.answer), orDefault(l.delay, d.delay)
	l.write, l.shutdown, l.belt = orDefault(l.write, d.write), orDefault(l.shutdown, d.shutdown), orDefault(l.belt, d.belt)
	l.connections, l.waiters = orDefault(l.connections, d.connections), orDefault(l.waiters, d.waiters)
	l.body, l.query = orDefault(l.body, d.body), orDefault(l.query, d.query)
	l.searches, l.queue, l.turn = orDefault(l.searches, searchSlots()), orDefault(l.queue, 64), orDefault(l.turn, 5*time.Second)
	return l
}

func orDefault[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}

// Server answers HTTP requests.
type Server struct {
	settings atomic.Pointer[settings] // of the requests that begin now; Apply changes it
	opts     Options                  // constant after New, as all below; of its Settings those that New was given
	limits   limits
	hostname string     // of this machine; "": unknown
	dialects []*dialect // longest prefix first
	journal  []*dialect // what RunJournal serves
	metrics  *metrics
	sessions *sessions
	limiter  *limiter
	guesses  *guesses
	pages    *sealer // of page tokens
	auth     *authLog
	hub      *hub
	exports  *exporter     // nil: exports are off
	inspects chan struct{} // one token per running inquiry
	streams  chan struct{} // one token per request of HTTP/2
	clear    clearState
	serving  serving

	searching *turns // of heavy searches
	looking   *turns // of cheap ones
	exporting *turns // of exports, a piece each
	large     *turns // of requests with large bodies
	room      *room  // of answers

	closing context.Context // ends when the server shuts down; waits end with it
	close   context.CancelFunc
}

// New makes a server. It starts nothing and listens nowhere.
func New(o Options) (*Server, error) {
	if o.Index == nil || o.Accounts == nil {
		return nil, errors.New("httpd: Options.Index and Options.Accounts are required")
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	hostname, _ := os.Hostname() // without one, only addresses and configured names are let in
	s := &Server{opts: o, limits: o.limits.withDefaults(), hostname: hostname,
		sessions: newSessions(o.Now), limiter: newLimiter(o.Now, o.limits.withDefaults().delay), guesses: newGuesses(o.Now), auth: newAuthLog(&o), inspects: make(chan struct{}, maxInspects), serving: serving{begun: make(chan struct{})}}
	if err := s.Apply(o.Settings); err != nil {
		return nil, err
	}
	s.searching = newTurns(s.limits.searches, s.limits.queue, s.limits.turn, "Too many searches at the moment")
	s.looking = newTurns(cheapSlots, s.limits.connections, s.limits.turn, "Too many searches at the moment")
	s.exporting = newTurns(s.limits.searches, s.limits.queue, s.limits.turn, "Too many exports at the moment")
	s.large = newLarge(s.limits.turn)
	s.room = newRoom(answerRoom, answerWait)
	s.streams = make(chan struct{}, s.limits.connections)
	s.closing, s.close = context.WithCancel(context.Background())
	s.hub = newHub(s.closing, o.Index, s.limits.waiters, o.Logger)
	pages, err := openSealer(o.Keys, "pages.key")
	if err != nil {
		return nil, err
	}
	s.pages = pages
	if s.exports, err = newExporter(s); err != nil {
		return nil, err
	}
	m, err := newMetrics(s)
	if err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	s.metrics = m
	s.dialects = sortDialects(slices.Concat(
		qnapDialects(s),
		quayDialects(s),
		hssDialects(s),
		aosDialects(s),
		[]*dialect{nativeDialect(s)},
	))
	s.journal = journalOnly(s, s.dialects)
	return s, nil
}
