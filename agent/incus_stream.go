package agent

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

const (
	eventsPath   = "/events?all-projects=true&type=lifecycle,operation"
	maxReadBytes = 16 << 20
)

// incusStream reads one websocket. The frames that arrive before release are kept back, so that what a
// listing tells comes first; reading never waits.
type incusStream struct {
	conn    *websocket.Conn
	q       *queue
	now     func() time.Time
	seen    func(time.Time) // told of each sign of life
	silence time.Duration   // no frame, ping or pong for so long: the daemon hangs

	mu    sync.Mutex
	held  []item // guarded by mu
	bytes int    // guarded by mu
	live  bool   // guarded by mu
}

// read delivers frames until the stream ends, and returns why.
func (s *incusStream) read() error {
	s.conn.SetReadLimit(maxReadBytes)
	alive := func() error {
		s.seen(s.now())
		return s.conn.SetReadDeadline(time.Now().Add(s.silence))
	}
	// The default handler gives up when its pong cannot be written, and with it what is still to be read.
	s.conn.SetPingHandler(func(data string) error {
		_ = s.control(websocket.PongMessage, []byte(data), time.Second)
		return alive()
	})
	s.conn.SetPongHandler(func(string) error { return alive() })
	if err := alive(); err != nil {
		return err
	}
	for {
		_, frame, err := s.conn.ReadMessage()
		if err != nil {
			return s.describe(err)
		}
		if err := alive(); err != nil {
			return err
		}
		s.q.handle(func() { s.deliver(frame) })
	}
}

// describe says of a silent daemon that it is one.
func (s *incusStream) describe(err error) error {
	var timeout interface{ Timeout() bool }
	if errors.As(err, &timeout) && timeout.Timeout() {
		return fmt.Errorf("no sign of life for %v: %w", s.silence, err)
	}
	return err
}

func (s *incusStream) deliver(frame []byte) {
	obs := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live {
		s.q.push(frame, obs)
		return
	}
	s.held = append(s.held, item{obs: obs, raw: frame})
	s.bytes += len(frame)
	if s.bytes > queueBytes || len(s.held) > queueItems {
		s.passOn()
	}
}

// release queues work made from the frames kept back, then these, and from now on every frame at once.
func (s *incusStream) release(work func(frames [][]byte) func() []Mapped) {
	s.mu.Lock()
	defer s.mu.Unlock()
	frames := make([][]byte, len(s.held))
	for i, it := range s.held {
		frames[i] = it.raw
	}
	s.q.pushWork(work(frames))
	s.passOn()
}

// passOn queues the frames kept back. Called with mu held.
func (s *incusStream) passOn() {
	for _, it := range s.held {
		s.q.push(it.raw, it.obs)
	}
	s.held, s.bytes, s.live = nil, 0, true
}

// ping asks for a sign of life.
func (s *incusStream) ping() error {
	return s.control(websocket.PingMessage, nil, 15*time.Second) // until the next one: a deadline wakes when it is over
}

// control sends a control frame within patience. The deadline is lifted then: it would wake the process when it
// comes, with nothing to do.
func (s *incusStream) control(kind int, data []byte, patience time.Duration) error {
	err := s.conn.WriteControl(kind, data, time.Now().Add(patience))
	return errors.Join(err, s.conn.NetConn().SetWriteDeadline(time.Time{}))
}
